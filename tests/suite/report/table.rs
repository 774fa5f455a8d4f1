//! Tables of other commands.

use handoff::report::Options;
use handoff::report::table::{Table, TableColumn};

fn table() -> Table {
    let mut table = Table::new([
        TableColumn::text("Key"),
        TableColumn::number("Days"),
        TableColumn::text("Customer"),
    ]);
    table.row(["hubspot-1", "3", "Acme Corp"]);
    table.row(["hubspot-22", "1,204", "株式会社 \u{1b}[31mred\u{202E}"]);
    table.row(["::error::x", "", "a\n\nb ##[group]c"]);
    table
}

#[test]
fn elsewhere_each_row_is_one_whole_line() {
    let wide = "long ".repeat(60);
    let mut table = table();
    table.row(["hubspot-4", "7", wide.trim()]);
    let text = table.render(&Options::default());
    assert_eq!(text.lines().count(), 5);
    assert!(text.contains(wide.trim()));
    // One long cell moves its own row alone.
    let mut table = Table::new([TableColumn::text("Customer"), TableColumn::whole("Key")]);
    table.row([wide.trim(), "hubspot-1"]);
    table.row(["Acme Corp", "hubspot-2"]);
    assert!(table.render(&Options::default()).ends_with("\nAcme Corp  hubspot-2\n"));
    insta::assert_snapshot!(super::table::table().render(&Options::default()));
}

#[test]
fn on_a_terminal_it_fits_the_width() {
    let mut table = table();
    table.row(["hubspot-4", "7", &"word ".repeat(40)]);
    let text = table.render(&Options { color: false, width: Some(50) });
    insta::assert_snapshot!(text);
    for line in text.lines() {
        assert!(line.chars().count() <= 50, "{line}");
    }
}

#[test]
fn on_a_narrow_terminal_each_row_is_a_paragraph_with_whole_words() {
    let mut table = Table::new([
        TableColumn::whole("Handoff"),
        TableColumn::text("Customer"),
        TableColumn::text("State"),
        TableColumn::number("Missing"),
    ]);
    table.row(["hubspot-9876543212", "Brightwater Logistics", "returned to the rep", "5"]);
    table.row(["hubspot-9876543211", "Northwind Robotics", "", "0"]);
    let narrow = table.render(&Options { color: false, width: Some(40) });
    insta::assert_snapshot!(narrow, @r"
    hubspot-9876543212
      customer  Brightwater Logistics
      state     returned to the rep
      missing   5
    hubspot-9876543211
      customer  Northwind Robotics
      missing   0
    ");
    // Where it fits side by side, no word is broken.
    let wide = table.render(&Options { color: false, width: Some(62) });
    assert!(wide.starts_with("HANDOFF"), "{wide}");
    for word in ["Brightwater", "Logistics", "Northwind", "returned"] {
        assert!(wide.contains(word), "{word} is broken in:\n{wide}");
    }
}

#[test]
fn an_empty_table_has_its_titles() {
    let table = Table::new([TableColumn::text("Key")]);
    assert!(table.is_empty());
    assert_eq!(table.render(&Options::default()), "KEY\n");
}
