//! The columns that HubSpot, Salesforce and Pipedrive are known to write:
//! which labels they have, and what the vendor's API calls them.

use super::settings::Column;

/// Whose export a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vendor {
    HubSpot,
    Salesforce,
    Pipedrive,
}

impl Vendor {
    /// The CRM's name in keys.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::HubSpot => "hubspot",
            Self::Salesforce => "salesforce",
            Self::Pipedrive => "pipedrive",
        }
    }

    /// The columns this vendor writes.
    pub(super) fn columns(self) -> &'static [Known] {
        match self {
            Self::HubSpot => HUBSPOT,
            Self::Salesforce => SALESFORCE,
            Self::Pipedrive => PIPEDRIVE,
        }
    }
}

/// One column that is known.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) column: Option<Column>,
    /// The API's name for it; empty where there is none.
    pub(super) api: &'static str,
    /// Its labels in lower case, English first.
    pub(super) labels: &'static [&'static str],
}

const fn known(column: Column, api: &'static str, labels: &'static [&'static str]) -> Known {
    Known { column: Some(column), api, labels }
}

const fn named(api: &'static str, labels: &'static [&'static str]) -> Known {
    Known { column: None, api, labels }
}

// Where several labels may stand in one file, the better one comes first: that
// order decides which column is read.

/// HubSpot: labels of the default properties, English, German, French, Spanish.
pub(super) const HUBSPOT: &[Known] = &[
    known(
        Column::Id,
        "hs_object_id",
        &[
            "record id",
            "datensatz-id",
            "id de registro",
            "id d'enregistrement",
            "id de fiche d'information",
            "deal id",
        ],
    ),
    known(
        Column::Name,
        "dealname",
        &["deal name", "deal-name", "dealname", "nombre del negocio", "nom de la transaction"],
    ),
    known(
        Column::Stage,
        "dealstage",
        &["deal stage", "deal-phase", "dealphase", "etapa del negocio", "phase de la transaction"],
    ),
    known(Column::Pipeline, "pipeline", &["pipeline"]),
    known(
        Column::IsWon,
        "hs_is_closed_won",
        &["is closed won", "hs is closed won", "ist abgeschlossen und gewonnen"],
    ),
    known(
        Column::IsClosed,
        "hs_is_closed",
        &["is deal closed?", "is closed", "is deal closed", "hs is closed"],
    ),
    known(Column::ClosedWonAt, "hs_closed_won_date", &["closed won date", "hs closed won date"]),
    known(
        Column::ClosedWonAt,
        "closedate",
        &["close date", "closedate", "abschlussdatum", "fecha de cierre", "date de fermeture"],
    ),
    known(
        Column::Owner,
        "",
        &[
            "deal owner",
            "deal-inhaber",
            "zuständiger mitarbeiter",
            "propietario del negocio",
            "propriétaire de la transaction",
        ],
    ),
    known(Column::OwnerEmail, "", &["deal owner email", "owner email"]),
    known(Column::Amount, "amount", &["amount", "betrag", "cantidad", "valor", "montant"]),
    known(
        Column::Amount,
        "amount_in_home_currency",
        &["amount in company currency", "amount in home currency"],
    ),
    known(
        Column::Currency,
        "deal_currency_code",
        &["currency", "deal currency code", "währung", "moneda", "devise"],
    ),
    known(
        Column::Probability,
        "hs_deal_stage_probability",
        &["deal probability", "hs deal stage probability"],
    ),
    known(
        Column::Company,
        "",
        &[
            "associated company (primary)",
            "primary associated company",
            "associated company",
            "zugeordnetes unternehmen",
            "empresa asociada",
            "entreprise associée",
        ],
    ),
    known(
        Column::CompanyId,
        "hs_primary_associated_company",
        &[
            "associated company ids (primary)",
            "primary associated company id",
            "associated company ids",
            "hs primary associated company",
        ],
    ),
    known(
        Column::Contacts,
        "",
        &[
            "associated contact",
            "associated contacts",
            "zugeordneter kontakt",
            "contacto asociado",
            "contact associé",
        ],
    ),
    known(Column::ContactIds, "", &["associated contact ids"]),
    known(
        Column::Type,
        "dealtype",
        &["deal type", "dealtype", "deal-typ", "tipo de negocio", "type de transaction"],
    ),
    known(Column::Url, "", &["record url", "deal url", "url"]),
    named(
        "createdate",
        &["create date", "createdate", "erstellungsdatum", "fecha de creación", "date de création"],
    ),
    named("hs_lastmodifieddate", &["last modified date", "hs lastmodifieddate"]),
    named("description", &["deal description"]),
    named("hs_next_step", &["next step"]),
    named("hs_mrr", &["monthly recurring revenue", "mrr"]),
    named("hs_arr", &["annual recurring revenue", "arr"]),
    named("hs_acv", &["annual contract value", "acv"]),
    named("hs_tcv", &["total contract value", "tcv"]),
    named("hs_priority", &["priority"]),
    named("closed_won_reason", &["closed won reason"]),
    named("closed_lost_reason", &["closed lost reason"]),
    named(
        "hs_merged_object_ids",
        &["merged record ids", "merged object ids", "hs merged object ids"],
    ),
];

/// Salesforce: labels of report columns (English, German, French) and API names.
const SALESFORCE: &[Known] = &[
    known(
        Column::Id,
        "Id",
        &[
            "opportunity id",
            "id",
            "opportunity id (18)",
            "opportunity-id",
            "id de l'opportunité",
            "18 digit opportunity id",
        ],
    ),
    known(
        Column::Name,
        "Name",
        &[
            "opportunity name",
            "name",
            "opportunity-name",
            "opportunityname",
            "nom de l'opportunité",
        ],
    ),
    known(Column::Stage, "StageName", &["stage", "stagename", "phase", "étape"]),
    known(Column::IsWon, "IsWon", &["iswon", "won", "gewonnen", "gagnée"]),
    known(Column::IsClosed, "IsClosed", &["isclosed", "closed", "geschlossen", "clôturée"]),
    known(
        Column::Probability,
        "Probability",
        &["probability (%)", "probability", "wahrscheinlichkeit (%)", "probabilité (%)"],
    ),
    known(
        Column::ClosedWonAt,
        "CloseDate",
        &["close date", "closedate", "schlusstermin", "abschlussdatum", "date de clôture"],
    ),
    known(
        Column::Owner,
        "Owner.Name",
        &[
            "opportunity owner",
            "owner.name",
            "owner: full name",
            "opportunity owner: full name",
            "inhaber der opportunity",
            "propriétaire de l'opportunité",
        ],
    ),
    known(
        Column::OwnerEmail,
        "Owner.Email",
        &["owner.email", "opportunity owner email", "opportunity owner: email", "owner: email"],
    ),
    known(Column::Amount, "Amount", &["amount", "betrag", "montant"]),
    known(
        Column::Amount,
        "",
        &["amount (converted)", "betrag (konvertiert)", "montant (converti)"],
    ),
    known(
        Column::Currency,
        "CurrencyIsoCode",
        &["currencyisocode", "opportunity currency", "currency", "währung der opportunity"],
    ),
    known(
        Column::Company,
        "Account.Name",
        &["account name", "account.name", "account: account name", "accountname", "nom du compte"],
    ),
    known(Column::CompanyId, "AccountId", &["account id", "accountid", "account.id", "account-id"]),
    known(Column::Website, "Account.Website", &["account.website", "website"]),
    known(Column::Industry, "Account.Industry", &["account.industry", "industry"]),
    known(
        Column::Employees,
        "Account.NumberOfEmployees",
        &["account.numberofemployees", "employees"],
    ),
    known(Column::Type, "Type", &["type", "typ"]),
    known(Column::Contacts, "", &["primary contact", "contact name"]),
    known(Column::ContactEmail, "", &["contact: email", "contact email"]),
    named("CreatedDate", &["created date", "createddate"]),
    named("LastModifiedDate", &["last modified date", "lastmodifieddate"]),
    named("SystemModstamp", &["systemmodstamp"]),
    named("LeadSource", &["lead source", "leadsource"]),
    named("NextStep", &["next step", "nextstep"]),
    named("Description", &["description", "opportunity description"]),
    named("OwnerId", &["ownerid", "owner id"]),
    named("ExpectedRevenue", &["expected revenue", "expectedrevenue"]),
    named("Fiscal", &["fiscal period", "fiscal"]),
    named("ForecastCategoryName", &["forecast category", "forecastcategoryname"]),
    named("LastStageChangeDate", &["last stage change date", "laststagechangedate"]),
];

/// Pipedrive: labels behind `Deal - `, list view and import vocabulary,
/// English, German, French, Spanish, Portuguese.
const PIPEDRIVE: &[Known] = &[
    known(Column::Id, "id", &["id", "pipedrive system id"]),
    known(Column::Name, "title", &["title", "titel", "titre", "título"]),
    known(Column::Amount, "value", &["value", "wert", "valeur", "valor"]),
    known(
        Column::Currency,
        "currency",
        &[
            "currency of value",
            "currency",
            "währung des werts",
            "währung von wert",
            "währung",
            "devise de valeur",
            "devise",
            "moneda de valor",
            "moeda de valor",
        ],
    ),
    known(Column::Status, "status", &["status", "statut", "estado"]),
    known(
        Column::ClosedWonAt,
        "won_time",
        &["won time", "gewonnen am", "zeitpunkt gewonnen", "date de gain", "hora de ganado"],
    ),
    known(
        Column::ClosedWonAt,
        "close_time",
        &["deal closed on", "closed on", "deal abgeschlossen am", "abgeschlossen am", "close time"],
    ),
    known(Column::Stage, "stage", &["stage", "stage (pipeline)", "phase", "étape", "etapa"]),
    known(Column::Pipeline, "pipeline", &["pipeline"]),
    known(
        Column::Owner,
        "owner_name",
        &["owner", "besitzer", "propriétaire", "propietario", "proprietário"],
    ),
    known(Column::OwnerEmail, "", &["owner email"]),
    known(
        Column::Company,
        "org_name",
        &["organization", "organisation", "organización", "organização"],
    ),
    known(Column::CompanyId, "org_id", &["organization id", "org id"]),
    known(
        Column::Contacts,
        "person_name",
        &[
            "contact person",
            "kontaktperson",
            "personne à contacter",
            "persona de contacto",
            "pessoa de contato",
        ],
    ),
    known(Column::ContactEmail, "", &["person - email", "person - e-mail"]),
    known(Column::Website, "", &["organization - website"]),
    known(Column::Industry, "", &["organization - industry"]),
    known(
        Column::Employees,
        "",
        &["organization - number of employees", "organization - employee count"],
    ),
    known(Column::Probability, "probability", &["probability", "wahrscheinlichkeit"]),
    known(Column::Type, "label", &["label", "labels"]),
    named("add_time", &["deal created", "add time"]),
    named("update_time", &["update time"]),
    named("lost_time", &["lost time"]),
    named("lost_reason", &["lost reason"]),
    named("expected_close_date", &["expected close date"]),
    named("products_count", &["product quantity"]),
];

/// Names that need no vendor: what people call these columns.
pub(super) const ANYBODY: &[Known] = &[
    known(
        Column::Id,
        "",
        &["id", "deal id", "record id", "opportunity id", "deal no", "deal number"],
    ),
    known(
        Column::Name,
        "",
        &["name", "deal name", "deal", "title", "opportunity name", "opportunity", "dealname"],
    ),
    known(
        Column::Amount,
        "",
        &["amount", "value", "deal value", "deal amount", "contract value", "acv", "tcv"],
    ),
    known(Column::Currency, "", &["currency", "currency code", "amount currency"]),
    known(Column::Stage, "", &["stage", "deal stage", "phase"]),
    known(Column::Pipeline, "", &["pipeline"]),
    known(Column::Status, "", &["status", "outcome", "deal status"]),
    known(Column::IsWon, "", &["is won", "iswon", "won", "closed won", "is closed won"]),
    known(Column::IsClosed, "", &["is closed", "isclosed"]),
    known(Column::Probability, "", &["probability", "probability (%)"]),
    known(
        Column::ClosedWonAt,
        "",
        &[
            "closed won at",
            "won at",
            "won time",
            "won date",
            "closed won date",
            "close date",
            "closed at",
            "closed date",
            "closed on",
            "closedate",
        ],
    ),
    known(
        Column::Owner,
        "",
        &["owner", "deal owner", "rep", "owner name", "sales rep", "account executive"],
    ),
    known(Column::OwnerEmail, "", &["owner email", "rep email", "owner.email"]),
    known(
        Column::Company,
        "",
        &["company", "account", "account name", "company name", "customer", "organization"],
    ),
    known(Column::CompanyId, "", &["company id", "account id"]),
    known(Column::Website, "", &["website", "domain", "company website", "company domain"]),
    known(Column::Industry, "", &["industry"]),
    known(Column::Employees, "", &["employees", "number of employees", "company size"]),
    known(Column::Contacts, "", &["contacts", "contact", "contact name", "primary contact"]),
    known(Column::ContactIds, "", &["contact ids"]),
    known(Column::ContactEmail, "", &["contact email"]),
    known(Column::Url, "", &["url", "link", "deal url"]),
    known(Column::Type, "", &["type", "deal type", "dealtype"]),
];
