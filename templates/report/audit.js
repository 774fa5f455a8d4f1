// The table of deals: filter, sort, unfold. Every link of the page that names
// deals ends in `#deals?set=…&class=…&q=…`, so that the address bar always
// holds what is shown, and back goes back.
(async () => {
  "use strict";
  const STEP = 100;
  const pieces = [...document.querySelectorAll("script.data")];
  // The data of very many deals is packed, each piece by itself in base64.
  const unpack = () => {
    const parts = pieces.map((piece) => {
      const text = atob(piece.textContent);
      const bytes = new Uint8Array(text.length);
      for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
      return bytes;
    });
    const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };
  const data = JSON.parse(pieces[0].dataset.packed ? await unpack() : pieces[0].textContent);
  // Each column holds one cell of every deal; what a deal does not have is null.
  const cellsByName = Object.entries(data.deals);
  data.deals = data.deals.key.map((_, at) => {
    const deal = {};
    for (const [name, cells] of cellsByName) if (cells[at] !== null) deal[name] = cells[at];
    return deal;
  });
  for (const set of Object.values(data.sets)) {
    let place = 0;
    set.deals = set.steps.map((step) => (place += step));
  }
  const byId = (id) => document.getElementById(id);
  const make = (tag, props = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(props)) {
      if (name === "class") node.className = value;
      else if (name === "text") node.textContent = value;
      else node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null));
    return node;
  };

  const names = data.classes;
  const order = Object.keys(names);
  const whole = new Intl.NumberFormat("en-US");
  const money = (deal) => {
    if (deal.amount === undefined) return "";
    const [units, cents] = deal.amount.split(".");
    const sign = units.startsWith("-") ? "-" : "";
    const grouped = units.replace("-", "").replace(/\B(?=(\d{3})+$)/g, ",");
    return `${deal.currency || ""} ${sign}${grouped}${cents === undefined ? "" : `.${cents}`}`.trim();
  };
  const span = (seconds) => {
    if (seconds === undefined) return "";
    const sign = seconds < 0 ? "-" : "";
    const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
    let left = Math.abs(seconds);
    const at = Math.max(0, units.findIndex(([size]) => left >= size));
    const start = left < 1 ? 3 : at;
    const parts = [];
    for (const [size, name] of units.slice(start, start + 2)) {
      const number = Math.floor(left / size);
      left -= number * size;
      if (number > 0 || parts.length === 0) parts.push(`${number} ${name}`);
    }
    return sign + parts.join(" ");
  };
  const day = (moment) => (moment ? moment.slice(0, 10) : "");
  const minute = (moment) => (moment ? `${moment.slice(0, 10)} ${moment.slice(11, 16)} UTC` : "");
  const isOverdue = (deal) => !deal.touched && Boolean(deal.touch_due) && deal.touch_due < data.as_of;
  const touch = (deal) => {
    if (deal.touched) return `${day(deal.touched)}${deal.touch_due && deal.touched > deal.touch_due ? ", late" : ""}`;
    if (isOverdue(deal)) return `overdue since ${day(deal.touch_due)}`;
    return deal.touch_due ? `due ${day(deal.touch_due)}` : "";
  };
  // Sums are exact: amounts are decimals of up to four places.
  const units = (amount) => {
    const [whole, part = ""] = amount.replace("-", "").split(".");
    const number = BigInt(whole + part.slice(0, 4).padEnd(4, "0"));
    return amount.startsWith("-") ? -number : number;
  };
  const sums = (places) => {
    const totals = new Map();
    for (const at of places) {
      const deal = data.deals[at];
      if (deal.amount === undefined) continue;
      const currency = deal.currency || "no currency";
      totals.set(currency, (totals.get(currency) || 0n) + units(deal.amount));
    }
    return [...totals].sort().map(([currency, total]) => {
      const size = total < 0n ? -total : total;
      const cents = (size % 10000n).toString().padStart(4, "0").replace(/00$/, "");
      return `${currency} ${total < 0n ? "-" : ""}${whole.format(size / 10000n)}.${cents}`;
    }).join(" · ");
  };
  const findingsOf = (deal) => (deal.findings || []);
  const worst = (deal) => findingsOf(deal).reduce((most, found) => Math.max(most, ["info", "warning", "error"].indexOf(found[0])), -1);

  // Each column: title, what is sorted by, what is shown, whether it is a number.
  const columns = [
    { id: "class", title: "Class", sort: (d) => order.indexOf(d.class) },
    { id: "name", title: "Deal", sort: (d) => (d.name || d.key).toLowerCase() },
    { id: "value", title: "Value", number: true, sort: (d) => (d.amount === undefined ? undefined : Number(d.amount)), group: (d) => d.currency || "" },
    { id: "won", title: "Won", sort: (d) => d.won },
    { id: "owner", title: "Rep", sort: (d) => (d.owner || "").toLowerCase() || undefined },
    { id: "csm", title: "CSM", sort: (d) => (d.csm || "").toLowerCase() || undefined },
    { id: "latency", title: "To brief", number: true, sort: (d) => d.latency },
    { id: "touch", title: "First touch", sort: (d) => d.touched || d.touch_due },
    { id: "findings", title: "Findings", number: true, sort: (d) => worst(d) * 1000 + findingsOf(d).length },
  ];

  const haystack = data.deals.map((deal) => [
    deal.key, deal.id, deal.name, deal.owner, deal.csm, deal.tier, deal.reason, deal.brief, names[deal.class],
    ...findingsOf(deal).map((found) => found[1]),
  ].filter(Boolean).join("\n").toLowerCase());

  const state = { set: "", classes: new Set(), words: "", sort: "", down: false, limit: STEP };
  let found = [];

  const read = () => {
    if (!location.hash.startsWith("#deals?")) return false;
    const query = new URLSearchParams(location.hash.slice("#deals?".length));
    state.set = data.sets[query.get("set")] ? query.get("set") : "";
    state.classes = new Set((query.get("class") || "").split(",").filter((name) => name in names));
    state.words = query.get("q") || "";
    state.sort = columns.some((column) => column.id === query.get("sort")) ? query.get("sort") : "";
    state.down = query.get("down") === "1";
    return true;
  };
  const write = () => {
    const query = new URLSearchParams();
    if (state.set) query.set("set", state.set);
    if (state.classes.size) query.set("class", [...state.classes].join(","));
    if (state.words) query.set("q", state.words);
    if (state.sort) query.set("sort", state.sort);
    if (state.down) query.set("down", "1");
    const text = query.toString().replace(/%2C/g, ",");
    history.replaceState(null, "", text ? `#deals?${text}` : "#deals");
  };

  const select = () => {
    const words = state.words.toLowerCase().split(/\s+/).filter(Boolean);
    const pool = state.set ? data.sets[state.set].deals : data.deals.keys();
    found = [];
    for (const at of pool) {
      const deal = data.deals[at];
      if (state.classes.size && !state.classes.has(deal.class)) continue;
      if (words.every((word) => haystack[at].includes(word))) found.push(at);
    }
    const column = columns.find((candidate) => candidate.id === state.sort);
    if (column) {
      const turn = state.down ? -1 : 1;
      const keyed = found.map((at) => [column.sort(data.deals[at]), at]);
      // Two currencies cannot be compared: values are sorted within theirs.
      const group = (at) => (column.group ? column.group(data.deals[at]) : "");
      keyed.sort(([a, x], [b, y]) => {
        const [of, other] = [group(x), group(y)];
        if (of !== other && a !== undefined && b !== undefined) return of < other ? -1 : 1;
        if (a === b) return x - y;
        if (a === undefined) return 1;
        if (b === undefined) return -1;
        return (a < b ? -1 : 1) * turn;
      });
      found = keyed.map(([, at]) => at);
    } else if (!state.set) {
      // What is wrong comes first; a set has an order of its own.
      found.sort((x, y) => worst(data.deals[y]) - worst(data.deals[x]) || x - y);
    }
  };

  const link = (url, text) => (/^https?:\/\//.test(url) ? make("a", { href: url, target: "_blank", rel: "noopener noreferrer", text }) : make("code", { text }));

  const detail = (deal) => {
    const list = make("dl");
    const add = (title, value) => {
      if (value === undefined || value === "" || value === null) return;
      list.append(make("div", {}, make("dt", { text: title }), make("dd", { dir: "auto" }, value)));
    };
    add("Deal", deal.url ? link(deal.url, deal.id) : deal.id);
    add("Rep", deal.owner);
    add("CSM", deal.csm);
    add("Reason", deal.reason);
    add("Approved by", deal.approver);
    add("Tier", deal.tier);
    add("Won", deal.won && `${minute(deal.won)}${deal.won_from ? ` (from ${deal.won_from})` : ""}`);
    add("Signed", minute(deal.signed));
    add("Event received", minute(deal.received));
    add("Brief on the default branch", minute(deal.delivered));
    add("Commit", deal.commit && (data.commits ? link(data.commits + deal.commit, deal.commit.slice(0, 10)) : make("code", { text: deal.commit.slice(0, 10) })));
    add("Signature to brief", deal.latency === undefined ? "" : span(deal.latency) + (deal.business === undefined ? "" : `, ${span(deal.business)} business`));
    const path = (text) => text.split("/").map(encodeURIComponent).join("/");
    add("Brief", deal.brief && (data.folders ? link(data.folders + path(deal.brief), deal.brief) : make("code", { text: deal.brief })));
    add("First-touch task", deal.task && link(deal.task, deal.task));
    add("First touch due", minute(deal.touch_due));
    add("First touch", minute(deal.touched));
    add("Accepted", minute(deal.accepted));
    add("Complete when delivered", deal.complete === undefined ? "" : deal.complete ? "yes" : "no");
    add("Unanswered then", (deal.unanswered || []).join(", "));
    add("Backfilled", deal.backfilled ? "yes, made afterwards" : "");
    add("Looks like", deal.suggestion);
    const cell = make("td", { colspan: String(columns.length + 1) }, list);
    for (const [severity, rule, message, help] of findingsOf(deal)) {
      cell.append(make("div", { class: "finding" },
        make("span", { class: `badge ${severity}`, text: severity }), " ", make("code", { text: rule }),
        make("p", { class: "what", dir: "auto", text: message }), help ? make("p", { class: "help", text: help }) : null));
    }
    return make("tr", { class: "detail" }, cell);
  };

  const row = (at) => {
    const deal = data.deals[at];
    const opener = make("button", { type: "button", class: "opener", "aria-expanded": "false", "aria-label": `Details of ${deal.name || deal.key}`, text: "▸" });
    const counts = findingsOf(deal);
    const level = ["info", "warning", "error"][worst(deal)];
    const cells = [
      make("td", { class: "first noprint" }, opener),
      make("td", {}, make("span", { class: "class" }, make("span", { class: `dot bg-${deal.class}` }), names[deal.class])),
      make("td", {}, make("span", { class: "name", dir: "auto", text: deal.name || deal.key }), make("span", { class: "key mono", text: deal.key })),
      make("td", { class: "n", text: money(deal) }),
      make("td", { class: "mono", text: day(deal.won) }),
      make("td", { dir: "auto", text: deal.owner || "" }),
      make("td", { dir: "auto", text: deal.csm || "" }),
      make("td", { class: "n", text: span(deal.latency) }),
      make("td", { class: isOverdue(deal) ? "mono overdue" : "mono", text: touch(deal) }),
      make("td", { class: "n rulecount" }, counts.length ? make("span", { class: `badge ${level}`, title: counts.map((it) => it[1]).join(", "), text: String(counts.length) }) : ""),
    ];
    const line = make("tr", { class: "row" }, ...cells);
    let unfolded = null;
    const toggle = () => {
      if (unfolded) {
        unfolded.remove();
        unfolded = null;
      } else {
        unfolded = detail(deal);
        line.after(unfolded);
      }
      opener.textContent = unfolded ? "▾" : "▸";
      opener.setAttribute("aria-expanded", String(Boolean(unfolded)));
    };
    line.addEventListener("click", (event) => {
      if (!event.target.closest("a") && !String(getSelection())) toggle();
    });
    return line;
  };

  const draw = (from = 0) => {
    const body = byId("rows");
    if (from === 0) body.replaceChildren();
    const part = document.createDocumentFragment();
    for (const at of found.slice(from, state.limit)) part.append(row(at));
    if (!found.length) part.append(make("tr", {}, make("td", { colspan: String(columns.length + 1), class: "empty", text: "No deal fits." })));
    body.append(part);
    const left = found.length - state.limit;
    byId("more").hidden = left <= 0;
    byId("more").textContent = `Show ${whole.format(Math.min(STEP, left))} more`;
    byId("all").hidden = left <= STEP;
    byId("all").textContent = `Show all ${whole.format(found.length)}`;
  };

  const show = () => {
    state.limit = STEP;
    select();
    draw();
    byId("count").textContent = found.length === data.deals.length ? whole.format(found.length) : `${whole.format(found.length)} of ${whole.format(data.deals.length)}`;
    const total = sums(found);
    byId("sums").textContent = total ? `Worth ${total}` : "";
    byId("words").value = state.words;
    for (const chip of byId("chips").children) chip.setAttribute("aria-pressed", String(state.classes.has(chip.dataset.class)));
    const set = byId("set");
    set.hidden = !state.set;
    if (state.set) {
      set.textContent = `${data.sets[state.set].label} ×`;
      set.setAttribute("aria-label", `Only ${data.sets[state.set].label}; press to remove`);
    }
    byId("clear").hidden = !(state.set || state.classes.size || state.words);
    for (const head of byId("heads").children) {
      if (head.dataset.column === state.sort) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
      const mark = head.querySelector("[data-mark]");
      if (mark) mark.textContent = head.dataset.column === state.sort ? (state.down ? " ↓" : " ↑") : "";
    }
  };
  const change = () => { write(); show(); };

  byId("heads").replaceChildren(make("th", { class: "first noprint" }, make("span", { class: "sr", text: "Details" })));
  for (const column of columns) {
    const button = make("button", { type: "button" }, column.title, make("span", { "data-mark": "", "aria-hidden": "true" }));
    button.addEventListener("click", () => {
      if (state.sort !== column.id) [state.sort, state.down] = [column.id, Boolean(column.number)];
      else if (state.down === Boolean(column.number)) state.down = !state.down;
      else [state.sort, state.down] = ["", false];
      change();
    });
    const head = make("th", { scope: "col", "data-column": column.id, class: column.number ? "n" : "" }, button);
    byId("heads").append(head);
  }
  for (const name of order) {
    const number = data.deals.reduce((sum, deal) => sum + (deal.class === name ? 1 : 0), 0);
    if (!number) continue;
    const chip = make("button", { type: "button", class: "chip", "data-class": name, "aria-pressed": "false" },
      make("span", { class: `dot bg-${name}` }), `${names[name]} ${whole.format(number)}`);
    chip.addEventListener("click", () => {
      if (!state.classes.delete(name)) state.classes.add(name);
      change();
    });
    byId("chips").append(chip, " ");
  }
  let typing = 0;
  byId("words").addEventListener("input", (event) => {
    state.words = event.target.value;
    show();
    // Browsers refuse an address that changes with every key.
    clearTimeout(typing);
    typing = setTimeout(write, 400);
  });
  byId("set").addEventListener("click", () => { state.set = ""; change(); });
  byId("clear").addEventListener("click", () => { state.set = ""; state.words = ""; state.classes.clear(); change(); });
  // What is shown, as a spreadsheet reads it; a text that it would compute stands behind an apostrophe.
  const csv = () => {
    const cell = (value) => {
      const text = value === undefined ? "" : String(value);
      const safe = /^[=+\-@\t\r\n]/.test(text) && !/^-?[0-9.]+$/.test(text) ? `'${text}` : text;
      return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
    };
    const head = ["key", "class", "name", "deal_id", "url", "owner", "csm", "tier", "amount", "currency", "closed_won_at", "brief", "delivered_at", "first_touch_due", "first_touch_at", "findings"];
    const lines = found.map((at) => {
      const deal = data.deals[at];
      return [deal.key, deal.class, deal.name, deal.id, deal.url, deal.owner, deal.csm, deal.tier, deal.amount, deal.currency, deal.won, deal.brief, deal.delivered, deal.touch_due, deal.touched, findingsOf(deal).map((it) => it[1]).join("; ")];
    });
    return [head, ...lines].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
  };
  byId("csv").addEventListener("click", () => {
    const url = URL.createObjectURL(new Blob([csv()], { type: "text/csv;charset=utf-8" }));
    make("a", { href: url, download: "deals.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  });
  byId("copy").addEventListener("click", async () => {
    write();
    const told = (text) => {
      byId("copy").textContent = text;
      setTimeout(() => { byId("copy").textContent = "Copy link"; }, 2000);
    };
    try {
      await navigator.clipboard.writeText(location.href);
      told("Copied");
    } catch {
      // Where the browser refuses, the address bar has it.
      told("Copy it from the address bar");
    }
  });
  const grow = (limit) => { const from = state.limit; state.limit = limit; draw(from); };
  byId("more").addEventListener("click", () => grow(state.limit + STEP));
  byId("all").addEventListener("click", () => grow(found.length));
  // Paper has no button for more: it says what it leaves out.
  addEventListener("beforeprint", () => {
    const left = found.length - state.limit;
    if (left > 0) byId("sums").textContent += ` · the first ${whole.format(state.limit)} of ${whole.format(found.length)} deals; the CSV has all`;
  });
  addEventListener("afterprint", () => show());

  const tabs = [...document.querySelectorAll("[role=tab]")];
  const pick = (chosen) => {
    for (const tab of tabs) {
      const is = tab === chosen;
      tab.setAttribute("aria-selected", String(is));
      tab.tabIndex = is ? 0 : -1;
      byId(tab.getAttribute("aria-controls")).toggleAttribute("data-folded", !is);
    }
  };
  tabs.forEach((tab, at) => {
    tab.addEventListener("click", () => pick(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(at + step + tabs.length) % tabs.length];
      pick(next);
      next.focus();
    });
  });

  const arrive = () => {
    if (location.hash.startsWith("#rule-")) {
      const fold = byId(location.hash.slice(1));
      if (fold) { fold.open = true; fold.scrollIntoView(); }
      return;
    }
    if (read()) {
      show();
      byId("deals").scrollIntoView();
      byId("deals").focus({ preventScroll: true });
    }
  };
  addEventListener("hashchange", arrive);
  document.addEventListener("click", (event) => {
    const anchor = event.target.closest("a[href^='#deals?']");
    if (anchor && anchor.getAttribute("href") === location.hash) arrive();
  });
  show();
  arrive();
})();
