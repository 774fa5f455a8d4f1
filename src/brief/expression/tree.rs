//! Expressions and templates as trees.

use minijinja::Value;

/// One part of an expression.
#[derive(Debug)]
pub(super) enum Node {
    Name(String),
    Constant(Value),
    Slice {
        of: Box<Node>,
        bounds: [Option<Box<Node>>; 3],
    },
    Not(Box<Node>),
    Minus(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Joined(Box<Node>, Box<Node>),
    Calculated {
        operator: Operator,
        left: Box<Node>,
        right: Box<Node>,
    },
    Compared {
        first: Box<Node>,
        rest: Vec<(Comparison, Node)>,
    },
    Choice {
        test: Box<Node>,
        yes: Box<Node>,
        no: Option<Box<Node>>,
    },
    /// Without `of`, what a `{% filter %}` block holds.
    Filter {
        name: String,
        of: Option<Box<Node>>,
        arguments: Vec<Argument>,
    },
    Test {
        name: String,
        of: Box<Node>,
        arguments: Vec<Argument>,
    },
    Attribute {
        of: Box<Node>,
        name: String,
    },
    Item {
        of: Box<Node>,
        key: Box<Node>,
    },
    Call {
        what: Box<Node>,
        arguments: Vec<Argument>,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// What is handed to a filter, a test or a function.
#[derive(Debug)]
pub(super) struct Argument {
    /// The name in `name=value`.
    pub name: Option<String>,
    pub value: Node,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    DivideWhole,
    Remainder,
    Power,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

impl Comparison {
    /// Whether it asks for an order, which only values of one kind have.
    pub(super) fn is_order(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual)
    }

    /// As it is written.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::NotIn => "not in",
        }
    }
}

/// One part of a template.
#[derive(Debug)]
pub(super) struct Statement {
    pub line: usize,
    pub kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Text(String),
    Print(Node),
    For {
        target: Target,
        over: Node,
        only: Option<Node>,
        body: Vec<Statement>,
        otherwise: Vec<Statement>,
    },
    If {
        test: Node,
        body: Vec<Statement>,
        otherwise: Vec<Statement>,
    },
    With {
        set: Vec<(Target, Node)>,
        body: Vec<Statement>,
    },
    Set {
        target: Target,
        value: Node,
    },
    Capture {
        target: Target,
        filter: Option<Node>,
        body: Vec<Statement>,
    },
    Filtered {
        filter: Node,
        body: Vec<Statement>,
    },
    /// Parts that only stand together: a block, an `autoescape`.
    Group(Vec<Statement>),
    Macro(std::sync::Arc<Macro>),
    CallBlock {
        what: Node,
        arguments: Vec<Argument>,
        caller: std::sync::Arc<Macro>,
    },
}

#[derive(Debug)]
pub(super) struct Macro {
    pub name: String,
    pub parameters: Vec<(String, Option<Node>)>,
    pub body: Vec<Statement>,
}

/// What `set` and `for` give a value to.
#[derive(Debug)]
pub(super) enum Target {
    Name(String),
    /// `ns.total`.
    Attribute(String, String),
    Several(Vec<Target>),
}

impl Node {
    /// The parts it is made of.
    pub(super) fn parts(&self) -> Vec<&Node> {
        fn of_arguments(arguments: &[Argument]) -> impl Iterator<Item = &Node> {
            arguments.iter().map(|argument| &argument.value)
        }
        match self {
            Self::Name(_) | Self::Constant(_) => Vec::new(),
            Self::Slice { of, bounds } => {
                std::iter::once(&**of).chain(bounds.iter().flatten().map(|b| &**b)).collect()
            }
            Self::Not(of) | Self::Minus(of) | Self::Attribute { of, .. } => vec![of],
            Self::And(left, right) | Self::Or(left, right) | Self::Joined(left, right) => {
                vec![left, right]
            }
            Self::Calculated { left, right, .. } => vec![left, right],
            Self::Compared { first, rest } => {
                std::iter::once(&**first).chain(rest.iter().map(|(_, node)| node)).collect()
            }
            Self::Choice { test, yes, no } => {
                [&**test, &**yes].into_iter().chain(no.as_deref()).collect()
            }
            Self::Filter { of, arguments, .. } => {
                of.as_deref().into_iter().chain(of_arguments(arguments)).collect()
            }
            Self::Test { of, arguments, .. } => {
                std::iter::once(&**of).chain(of_arguments(arguments)).collect()
            }
            Self::Item { of, key } => vec![of, key],
            Self::Call { what, arguments } => {
                std::iter::once(&**what).chain(of_arguments(arguments)).collect()
            }
            Self::List(items) => items.iter().collect(),
            Self::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
        }
    }

    /// The constant text it is.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Constant(value) => value.as_str(),
            _ => None,
        }
    }

    /// The names from the outside to the inside: `deal`, `owner`, `email`.
    pub(super) fn path(&self) -> Option<Vec<String>> {
        let (of, name) = match self {
            Self::Name(name) => return Some(vec![name.clone()]),
            Self::Attribute { of, name } => (of, name.clone()),
            Self::Item { of, key } => (of, key.as_text()?.to_owned()),
            _ => return None,
        };
        let mut path = of.path()?;
        path.push(name);
        Some(path)
    }
}
