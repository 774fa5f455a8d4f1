//! What a schema says about questions and fields, as a tree without
//! references: for completeness, for rendering, for forms. No field's name is
//! compiled in; titles, examples and whom to ask come from the schema.

use serde_json::Value;

/// Deeper nesting is an opaque value; a schema that refers to itself ends here.
const MOST_DEPTH: usize = 8;

/// The fields of a schema.
#[derive(Debug, Clone, Default)]
pub struct Outline {
    fields: Vec<Field>,
    roles: Vec<Role>,
}

/// Somebody who can be asked, after the schema's `x-roles`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The word in `x-ask`: `rep`.
    pub name: String,
    /// How a reader calls them: `the sales rep`.
    pub title: String,
    /// Where the brief names the person, as a JSON pointer.
    pub person: Option<String>,
}

/// One field of the brief.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its key.
    pub name: String,
    /// What readers call it.
    pub title: String,
    /// What belongs there.
    pub description: Option<String>,
    /// A good answer.
    pub example: Option<Value>,
    /// The question it belongs to, 1 to 7.
    pub question: Option<u8>,
    /// Who answers: a role of the schema, or a word that speaks for itself.
    pub ask: Option<String>,
    /// Whether the answer is owed.
    pub required: bool,
    /// Whether the word `none` is an answer.
    pub allows_none: bool,
    /// Whether `{unknown: …}` is an answer.
    pub allows_unknown: bool,
    /// What an answer must be, in words: the description of the definition
    /// that the schema refers to, `a day such as 2026-11-20`.
    pub expects: Option<String>,
    /// The words it is limited to, where it is.
    pub choices: Vec<String>,
    /// The format of a text: `date`, `date-time`, or an `x-format`: `email`,
    /// `url`, `decimal`.
    pub format: Option<String>,
    /// How a mapping reads in one line, after the schema's `x-show`:
    /// `{months} months[ from {starts}]`; what is in brackets is left out when
    /// a field in it has no value.
    pub show: Option<String>,
    /// What it holds.
    pub shape: Shape,
}

/// What a field holds.
#[derive(Debug, Clone)]
pub enum Shape {
    /// One value.
    Value,
    /// Named fields.
    Mapping {
        /// Those the schema names, in its order.
        fields: Vec<Field>,
        /// What any further field looks like, where the schema says it.
        other: Option<Box<Field>>,
        /// Whether the schema refuses further fields.
        closed: bool,
    },
    /// A list of like items.
    List(Box<Field>),
}

impl Outline {
    /// Reads the outline out of a schema document.
    pub(super) fn of(document: &Value) -> Self {
        let reader = OutlineReader { document };
        let fields = match reader.shape(&[document], &Inherited::default(), 0) {
            Shape::Mapping { fields, .. } => fields,
            Shape::Value | Shape::List(_) => Vec::new(),
        };
        let roles = document.get("x-roles").and_then(Value::as_object).into_iter().flatten();
        let roles = roles
            .map(|(name, role)| Role {
                name: name.clone(),
                title: text(role, "title").unwrap_or_else(|| name.clone()),
                person: text(role, "person"),
            })
            .collect();
        Self { fields, roles }
    }

    /// The top-level fields in the schema's order.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Who can be asked.
    #[must_use]
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// The top-level fields that answer a question, by question.
    #[must_use]
    pub fn sections(&self) -> Vec<(u8, &Field)> {
        let mut sections: Vec<_> =
            self.fields.iter().filter_map(|field| Some((field.question?, field))).collect();
        sections.sort_by_key(|(question, _)| *question);
        sections
    }

    /// The field at a JSON pointer; list indexes name the item.
    #[must_use]
    pub fn field(&self, pointer: &str) -> Option<&Field> {
        let mut tokens = pointer.strip_prefix('/')?.split('/');
        let first = tokens.next()?;
        let top = self.fields.iter().find(|field| field.name == first)?;
        tokens.try_fold(top, |field, token| field.child(token))
    }

    /// What readers call the field at a JSON pointer: `Contract value`,
    /// `Signer: email`. A field that the schema does not name is called as it
    /// is written, an item of a list as the list.
    #[must_use]
    pub fn label(&self, pointer: &str) -> String {
        let (mut label, mut above) = (String::new(), None);
        for (depth, token) in pointer.split('/').skip(1).enumerate() {
            let token = token.replace("~1", "/").replace("~0", "~");
            let is_list = above.is_some_and(|it: &Field| matches!(it.shape, Shape::List(_)));
            let here = match above {
                None => self.fields.iter().find(|field| field.name == token && depth == 0),
                Some(field) => field.child(&token),
            };
            above = here;
            if is_list {
                continue;
            }
            let named = here.filter(|field| field.name == token);
            let title = named.map_or_else(|| humanise(&token), |field| field.title.clone());
            label = match depth {
                // Below its section a field stands for itself.
                0 | 1 => title,
                _ => format!("{label}: {}", title.to_lowercase()),
            };
        }
        label
    }
}

impl Field {
    /// Whether it is a yes or no, after its example.
    #[must_use]
    pub fn is_flag(&self) -> bool {
        self.example.as_ref().is_some_and(Value::is_boolean)
    }

    /// The field below this one: by name, or the item for a list's index.
    #[must_use]
    pub fn child(&self, token: &str) -> Option<&Field> {
        match &self.shape {
            Shape::Mapping { fields, other, .. } => {
                fields.iter().find(|field| field.name == token).or(other.as_deref())
            }
            Shape::List(item) => token.parse::<usize>().ok().map(|_| &**item),
            Shape::Value => None,
        }
    }
}

/// What a field takes over from the section around it.
#[derive(Clone, Default)]
struct Inherited {
    question: Option<u8>,
    ask: Option<String>,
}

struct OutlineReader<'a> {
    document: &'a Value,
}

impl<'a> OutlineReader<'a> {
    /// The schema itself and everything it refers to, nearest first.
    fn layers(&self, schema: &'a Value) -> Vec<&'a Value> {
        let mut layers = vec![schema];
        let mut at = 0;
        while at < layers.len() && layers.len() < 32 {
            let layer = layers[at];
            at += 1;
            if let Some(target) = text(layer, "$ref")
                .and_then(|reference| self.document.pointer(reference.strip_prefix('#')?))
                && !layers.iter().any(|seen| std::ptr::eq(*seen, target))
            {
                layers.push(target);
            }
            layers.extend(layer.get("allOf").and_then(Value::as_array).into_iter().flatten());
        }
        layers
    }

    /// The alternatives of a schema, each with its layers; a schema without
    /// alternatives is its own one.
    fn variants(&self, schema: &'a Value) -> Vec<Vec<&'a Value>> {
        let layers = self.layers(schema);
        let mut variants = Vec::new();
        for layer in &layers {
            for keyword in ["anyOf", "oneOf"] {
                for variant in layer.get(keyword).and_then(Value::as_array).into_iter().flatten() {
                    for inner in self.variants_bounded(variant, variants.len()) {
                        variants.push(inner);
                    }
                }
            }
        }
        if variants.is_empty() { vec![layers] } else { variants }
    }

    fn variants_bounded(&self, schema: &'a Value, seen: usize) -> Vec<Vec<&'a Value>> {
        let layers = self.layers(schema);
        let nested = layers.iter().any(|l| l.get("anyOf").is_some() || l.get("oneOf").is_some());
        // Alternatives of alternatives are followed one level; deeper is opaque.
        if !nested || seen > 32 {
            return vec![layers];
        }
        let inner = layers.iter().flat_map(|layer| {
            ["anyOf", "oneOf"].into_iter().flat_map(|keyword| {
                layer.get(keyword).and_then(Value::as_array).into_iter().flatten()
            })
        });
        inner.map(|variant| self.layers(variant)).collect()
    }

    fn field(
        &self,
        name: &str,
        schema: &'a Value,
        required: bool,
        above: &Inherited,
        depth: usize,
    ) -> Field {
        let layers = self.layers(schema);
        let annotation = |key: &str| layers.iter().find_map(|layer| text(layer, key));
        let question = layers.iter().find_map(|layer| layer.get("x-question")?.as_u64());
        let inherited = Inherited {
            question: question
                .and_then(|n| u8::try_from(n).ok())
                .filter(|n| (1..=7).contains(n))
                .or(above.question),
            ask: annotation("x-ask").or_else(|| above.ask.clone()),
        };
        let variants = self.variants(schema);
        let allows_none = variants.iter().flatten().any(|v| v.get("const") == Some(&"none".into()));
        let (unknowns, answers): (Vec<_>, Vec<_>) = variants.into_iter().partition(|layers| {
            layers.iter().any(|layer| layer.pointer("/properties/unknown").is_some())
        });
        let allows_unknown = !unknowns.is_empty();
        let choices = answers
            .iter()
            .flatten()
            .filter_map(|layer| layer.get("enum").and_then(Value::as_array))
            .flatten()
            .filter_map(|choice| choice.as_str().map(str::to_owned))
            .collect();
        let of_answer = |key: &str| answers.iter().flatten().find_map(|layer| text(layer, key));
        let format = of_answer("format").or_else(|| of_answer("x-format"));
        let show = of_answer("x-show");
        let expects = answers
            .iter()
            .flatten()
            .filter(|layer| !std::ptr::eq(**layer, schema))
            .find_map(|layer| text(layer, "description"));
        // The mapping or list among the alternatives is what has an inside.
        let inside = answers
            .iter()
            .find(|layers| layers.iter().any(|layer| has_inside(layer)))
            .map(Vec::as_slice)
            .unwrap_or_default();
        Field {
            name: name.to_owned(),
            title: annotation("title").unwrap_or_else(|| humanise(name)),
            description: annotation("description"),
            example: layers.iter().find_map(|layer| layer.pointer("/examples/0").cloned()),
            question: inherited.question,
            ask: inherited.ask.clone(),
            required,
            allows_none,
            allows_unknown,
            expects,
            choices,
            format,
            show,
            shape: self.shape(inside, &inherited, depth + 1),
        }
    }

    fn shape(&self, layers: &[&'a Value], inherited: &Inherited, depth: usize) -> Shape {
        if depth > MOST_DEPTH {
            return Shape::Value;
        }
        if let Some(items) = layers.iter().find_map(|layer| layer.get("items")) {
            return Shape::List(Box::new(self.field("", items, true, inherited, depth)));
        }
        let required: Vec<&str> = layers
            .iter()
            .filter_map(|layer| layer.get("required").and_then(Value::as_array))
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut fields: Vec<Field> = Vec::new();
        let mut any = false;
        for layer in layers {
            let Some(named) = layer.get("properties").and_then(Value::as_object) else { continue };
            any = true;
            for (name, schema) in named {
                if !fields.iter().any(|field| field.name == *name) {
                    let required = required.contains(&name.as_str());
                    fields.push(self.field(name, schema, required, inherited, depth));
                }
            }
        }
        let other = layers
            .iter()
            .find_map(|layer| layer.get("additionalProperties"))
            .filter(|schema| schema.as_object().is_some_and(|schema| !schema.is_empty()))
            .map(|schema| Box::new(self.field("", schema, false, inherited, depth)));
        let closed = layers
            .iter()
            .any(|layer| layer.get("additionalProperties") == Some(&Value::Bool(false)));
        if any || other.is_some() { Shape::Mapping { fields, other, closed } } else { Shape::Value }
    }
}

fn has_inside(layer: &Value) -> bool {
    ["properties", "items"].into_iter().any(|keyword| layer.get(keyword).is_some())
        || layer.get("additionalProperties").is_some_and(Value::is_object)
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// `go_live_date` as a reader would write it: `Go live date`.
pub(crate) fn humanise(name: &str) -> String {
    let words = name.replace(['_', '-'], " ");
    let mut chars = words.trim().chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => name.to_owned(),
    }
}
