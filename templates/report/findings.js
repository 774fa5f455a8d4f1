(() => {
  "use strict";
  const box = document.getElementById("filter");
  if (!box) return;
  const items = [...document.querySelectorAll(".finding")];
  const texts = items.map((item) => item.textContent.toLowerCase());
  const chips = [...document.querySelectorAll(".chip")];
  const shown = document.getElementById("shown");
  const apply = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = chips.filter((chip) => chip.getAttribute("aria-pressed") === "true").map((chip) => chip.dataset.severity);
    let count = 0;
    items.forEach((item, at) => {
      const fits = words.every((word) => texts[at].includes(word)) && (!wanted.length || wanted.includes(item.dataset.severity));
      item.hidden = !fits;
      if (fits) count += 1;
    });
    shown.textContent = count === items.length ? "" : `${count} of ${items.length} shown`;
  };
  box.addEventListener("input", apply);
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.setAttribute("aria-pressed", chip.getAttribute("aria-pressed") !== "true");
      apply();
    });
  }
})();
