//! What the fake org knows of SOQL: enough to keep the vendor's rules.

use std::collections::BTreeMap;

use axum::response::Response;
use serde_json::{Value, json};

use super::fake::{Org, invalid, json_answer, page};

impl Org {
    /// The fields of an object, with types as the records show them.
    pub(super) fn described(&self, object: &str) -> Value {
        let records: Vec<&Value> = self.opportunities.values().take(50).collect();
        let below = |list: &str| -> Vec<Value> {
            let lists = records.iter().filter_map(|record| record[list]["records"].as_array());
            lists.flatten().cloned().collect()
        };
        let beside: Vec<Value> = match object {
            "Opportunity" => records.iter().map(|record| (*record).clone()).collect(),
            "Account" => records.iter().map(|record| record["Account"].clone()).collect(),
            "OpportunityLineItem" => below("OpportunityLineItems"),
            "Contact" => below("OpportunityContactRoles")
                .iter()
                .map(|role| role["Contact"].clone())
                .collect(),
            other => panic!("no object {other}"),
        };
        let mut fields: BTreeMap<&str, &str> = BTreeMap::new();
        if object == "Opportunity" {
            fields.extend(self.fields.iter().map(|name| (name.as_str(), "string")));
        }
        if object == "Account" {
            fields.insert("Tier__c", "picklist");
        }
        for (name, value) in beside.iter().filter_map(Value::as_object).flatten() {
            let of = match value {
                Value::Bool(_) => "boolean",
                Value::Number(_) => "double",
                Value::String(text) if text.ends_with("+0000") => "datetime",
                Value::String(_) => "string",
                _ => continue,
            };
            if object != "Opportunity" || self.fields.contains(name) {
                fields.insert(name, of);
            }
        }
        fields.iter().map(|(name, of)| json!({"name": name, "type": of})).collect()
    }

    /// An account by its id; one that was merged or deleted is gone.
    pub(super) fn account(&self, id: &str) -> Option<Value> {
        let held = self.opportunities.values().find(|record| record["AccountId"] == id);
        let account = self.accounts.get(id).or_else(|| held.map(|record| &record["Account"]));
        account.filter(|account| account["IsDeleted"] != true).cloned()
    }
}

/// The texts in quotes, unescaped.
fn literals(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\'') {
        let (mut literal, mut end) = (String::new(), rest.len());
        let mut chars = rest[at + 1..].char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '\\' => literal.push(chars.next().expect("an escaped letter").1),
                '\'' => {
                    end = at + 1 + i + 1;
                    break;
                }
                c => literal.push(c),
            }
        }
        found.push(literal);
        rest = &rest[end..];
    }
    found
}

pub(super) fn soql_query(org: &mut Org, soql: &str, all: bool) -> Response {
    if let Some(counted) = soql.strip_prefix("SELECT COUNT()") {
        return match rows(org, &format!("SELECT Id{counted}"), all) {
            Ok((_, found)) => {
                json_answer(200, &json!({"totalSize": found.len(), "done": true, "records": []}))
            }
            Err(words) => invalid("INVALID_FIELD", &words),
        };
    }
    match rows(org, soql, all) {
        Ok((_, found)) => {
            org.cursors.push(found);
            let cursor = (org.cursors.len() - 1) * 1_000;
            page(org, cursor)
        }
        Err(words) => invalid("INVALID_FIELD", &words),
    }
}

/// The fields and the records of a query; why it is refused.
pub(super) fn rows(org: &Org, soql: &str, all: bool) -> Result<(Vec<String>, Vec<Value>), String> {
    // Children stand in brackets of their own.
    let (mut outer, mut depth) = (String::new(), 0);
    for c in soql.chars() {
        depth += i32::from(c == '(');
        if depth == 0 {
            outer.push(c);
        }
        depth -= i32::from(c == ')');
    }
    let select = outer.strip_prefix("SELECT ").expect("a query");
    let (fields, rest) = select.split_once(" FROM ").expect("an object");
    let object = rest.split(' ').next().expect("an object");
    let fields: Vec<String> =
        fields.split(',').map(|f| f.trim().to_owned()).filter(|field| !field.is_empty()).collect();
    let condition = soql.rsplit_once(&format!("FROM {object}")).map_or("", |(_, rest)| rest);
    let from = format!(" FROM {object} ");
    let condition = soql.find(&from).map_or(condition, |at| &soql[at + from.len()..]);
    let named = literals(condition);
    let since = condition.split("SystemModstamp >= ").nth(1).map(|rest| &rest[..19]);
    let recent = |record: &Value| {
        let changed = record["SystemModstamp"].as_str().unwrap_or_default();
        since.is_none_or(|since| &changed[..19] >= since)
    };
    let children = ["OpportunityContactRoles", "OpportunityLineItems"];
    let records: Vec<Value> = match object {
        _ if condition.contains("LIMIT 1") => Vec::new(),
        "OpportunityStage" => org.stages.clone(),
        "OpportunityHistory" => {
            let held = |row: &&Value| {
                ["OpportunityId", "StageName"].iter().any(|name| {
                    condition.contains(name) && named.iter().any(|text| row[name] == text.as_str())
                })
            };
            org.history.iter().filter(held).cloned().collect()
        }
        "User" => {
            let users = org.people.get("User").into_iter().flatten();
            let by = if condition.contains("Id IN") { "Id" } else { "Email" };
            let is_active =
                |user: &&Value| !condition.contains("IsActive = true") || user["IsActive"] != false;
            let named = |user: &&Value| named.iter().any(|text| user[by] == text.as_str());
            users.filter(named).filter(is_active).cloned().collect()
        }
        "Task" | "Event" if condition.contains("OwnerId IN ") => {
            let held = |record: &&Value| {
                let is = |name: &str| named.iter().any(|text| record[name] == text.as_str());
                let open = condition.contains("IsClosed = true") && record["IsClosed"] != true;
                is("OwnerId") && is("WhoId") && !open && recent(record)
            };
            org.people.get(object).into_iter().flatten().filter(held).cloned().collect()
        }
        "EmailMessageRelation" => {
            let held = |record: &&Value| {
                named.iter().any(|text| record["RelationId"] == text.as_str())
                    && named.iter().any(|text| record["RelationType"] == text.as_str())
                    && record["EmailMessage"]["Incoming"] == false
            };
            org.people.get(object).into_iter().flatten().filter(held).cloned().collect()
        }
        "OpportunityContactRole" if condition.contains("OpportunityId IN ") => {
            let of = |id: &String| {
                let roles =
                    org.opportunities.get(id)?["OpportunityContactRoles"]["records"].clone();
                let roles = roles.as_array().cloned().unwrap_or_default().into_iter();
                let id = id.clone();
                Some(roles.map(move |mut role| {
                    role["OpportunityId"] = id.as_str().into();
                    role
                }))
            };
            named.iter().filter_map(of).flatten().collect()
        }
        "Task" => {
            let is = |task: &&Value| {
                ["WhatId", "Subject", "Id"].iter().all(|name| {
                    let wanted = format!("{name} = ");
                    !condition.split_whitespace().collect::<Vec<_>>().join(" ").contains(&wanted)
                        || (*name == "Id" && condition.contains("WhatId = "))
                        || named.iter().any(|text| task[*name] == text.as_str())
                })
            };
            org.tasks.iter().filter(is).filter(|it| it["IsDeleted"] != true).cloned().collect()
        }
        "Account" if soql.starts_with("SELECT FIELDS(ALL)") => {
            let limit = condition.split("LIMIT ").nth(1).and_then(|it| it.parse::<usize>().ok());
            if limit.is_none_or(|limit| limit > 200) {
                return Err("The SOQL FIELDS function must have a LIMIT of at most 200".to_owned());
            }
            let whole = |id: &String| {
                let mut account = org.account(id)?;
                account["Id"] = id.as_str().into();
                account["Tier__c"] = json!("enterprise");
                Some(account)
            };
            return Ok((Vec::new(), named.iter().filter_map(whole).collect()));
        }
        "Account" => {
            // What was merged or deleted is there for `queryAll`.
            let held = |id: &String| org.accounts.get(id).cloned().or_else(|| org.account(id));
            named.iter().filter_map(held).collect()
        }
        "OpportunityContactRole" | "OpportunityLineItem" => {
            assert!(condition.contains("Opportunity.IsWon = true AND IsDeleted = false"), "{soql}");
            let list = children[usize::from(object == "OpportunityLineItem")];
            let won = org.opportunities.values().filter(|r| r["IsWon"] == true && recent(r));
            let below = won.flat_map(|record| {
                let rows = record[list]["records"].as_array().cloned().unwrap_or_default();
                rows.into_iter().enumerate().map(|(n, mut row)| {
                    row["OpportunityId"] = record["Id"].clone();
                    row["Id"] = format!("00k{n:015}").into();
                    row
                })
            });
            // A job's results have no order.
            below.collect::<Vec<_>>().into_iter().rev().collect()
        }
        "Opportunity" => {
            let plain = fields.iter().filter(|field| !field.contains('.'));
            if let Some(unknown) = plain.clone().find(|field| !org.fields.contains(*field)) {
                return Err(format!("No such column '{unknown}' on entity 'Opportunity'."));
            }
            let held = |record: &&Value| {
                let won = !condition.contains("(IsWon = true OR IsDeleted = true)")
                    || record["IsWon"] == true
                    || record["IsDeleted"] == true;
                let id = record["Id"].as_str().expect("id");
                won && (all || record["IsDeleted"] != true)
                    && (!condition.contains("Id ")
                        || !condition.starts_with("WHERE Id")
                        || named.iter().any(|n| n == id))
                    && recent(record)
            };
            org.opportunities.values().filter(held).cloned().collect()
        }
        other => panic!("no object {other}"),
    };
    let shown = |record: &Value| {
        let mut shown = json!({});
        for field in &fields {
            show(&mut shown, record, field);
        }
        for child in children.iter().filter(|child| soql.contains(*child)) {
            shown[*child] = record[*child].clone();
        }
        shown
    };
    let records = records.iter().map(shown).collect();
    Ok((fields, records))
}

/// Copies a field, also of a record beside; nothing else of it is answered.
fn show(shown: &mut Value, record: &Value, field: &str) {
    match field.split_once('.') {
        None => shown[field] = record[field].clone(),
        Some((beside, _)) if record[beside].is_null() => shown[beside] = Value::Null,
        Some((beside, rest)) => show(&mut shown[beside], &record[beside], rest),
    }
}
