//! Expressions and templates as trees, read with minijinja's parser.

use minijinja::machinery::{ast, parse, parse_expr};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Error, Value};

use super::in_words;

// Expressions and templates as trees.

/// One part of an expression.
#[derive(Debug)]
pub(super) enum ExprNode {
    Name(String),
    Constant(Value),
    Slice {
        of: Box<ExprNode>,
        bounds: [Option<Box<ExprNode>>; 3],
    },
    Not(Box<ExprNode>),
    Minus(Box<ExprNode>),
    And(Box<ExprNode>, Box<ExprNode>),
    Or(Box<ExprNode>, Box<ExprNode>),
    Joined(Box<ExprNode>, Box<ExprNode>),
    Calculated {
        operator: Operator,
        left: Box<ExprNode>,
        right: Box<ExprNode>,
    },
    Compared {
        first: Box<ExprNode>,
        rest: Vec<(Comparison, ExprNode)>,
    },
    Choice {
        test: Box<ExprNode>,
        yes: Box<ExprNode>,
        no: Option<Box<ExprNode>>,
    },
    /// Without `of`, what a `{% filter %}` block holds.
    Filter {
        name: String,
        of: Option<Box<ExprNode>>,
        arguments: Vec<Argument>,
    },
    Test {
        name: String,
        of: Box<ExprNode>,
        arguments: Vec<Argument>,
    },
    Attribute {
        of: Box<ExprNode>,
        name: String,
    },
    Item {
        of: Box<ExprNode>,
        key: Box<ExprNode>,
    },
    Call {
        what: Box<ExprNode>,
        arguments: Vec<Argument>,
    },
    List(Vec<ExprNode>),
    Map(Vec<(ExprNode, ExprNode)>),
}

/// What is handed to a filter, a test or a function.
#[derive(Debug)]
pub(super) struct Argument {
    /// The name in `name=value`.
    pub name: Option<String>,
    pub value: ExprNode,
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
    pub kind: StatementKind,
}

#[derive(Debug)]
pub(super) enum StatementKind {
    Text(String),
    Print(ExprNode),
    For {
        target: AssignTarget,
        over: ExprNode,
        only: Option<ExprNode>,
        body: Vec<Statement>,
        otherwise: Vec<Statement>,
    },
    If {
        test: ExprNode,
        body: Vec<Statement>,
        otherwise: Vec<Statement>,
    },
    With {
        set: Vec<(AssignTarget, ExprNode)>,
        body: Vec<Statement>,
    },
    Set {
        target: AssignTarget,
        value: ExprNode,
    },
    Capture {
        target: AssignTarget,
        filter: Option<ExprNode>,
        body: Vec<Statement>,
    },
    Filtered {
        filter: ExprNode,
        body: Vec<Statement>,
    },
    /// Parts that only stand together: a block, an `autoescape`.
    Group(Vec<Statement>),
    Macro(std::sync::Arc<Macro>),
    CallBlock {
        what: ExprNode,
        arguments: Vec<Argument>,
        caller: std::sync::Arc<Macro>,
    },
}

#[derive(Debug)]
pub(super) struct Macro {
    pub name: String,
    pub parameters: Vec<(String, Option<ExprNode>)>,
    pub body: Vec<Statement>,
}

/// What `set` and `for` give a value to.
#[derive(Debug)]
pub(super) enum AssignTarget {
    Name(String),
    /// `ns.total`.
    Attribute(String, String),
    Several(Vec<AssignTarget>),
}

impl ExprNode {
    /// The parts it is made of.
    pub(super) fn parts(&self) -> Vec<&ExprNode> {
        fn of_arguments(arguments: &[Argument]) -> impl Iterator<Item = &ExprNode> {
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

// Reads expressions and templates into trees of our own, with minijinja's
// parser. Only this file knows the parser's `unstable_machinery` types, which
// is why Cargo.toml pins minijinja's version.

/// Why a text cannot be read.
#[derive(Debug)]
pub(super) struct SyntaxFault {
    pub line: usize,
    pub message: String,
}

impl From<Error> for SyntaxFault {
    fn from(error: Error) -> Self {
        let message = in_words(&error);
        Self { line: error.line().unwrap_or(1), message }
    }
}

pub(super) fn expression(source: &str) -> Result<ExprNode, SyntaxFault> {
    node(&parse_expr(source)?)
}

pub(super) fn template(
    source: &str,
    name: &str,
    syntax: SyntaxConfig,
) -> Result<Vec<Statement>, SyntaxFault> {
    match parse(source, name, syntax)? {
        ast::Stmt::Template(template) => statements(&template.children),
        other => statements(std::slice::from_ref(&other)),
    }
}

fn boxed(expr: &ast::Expr<'_>) -> Result<Box<ExprNode>, SyntaxFault> {
    node(expr).map(Box::new)
}

fn maybe(expr: Option<&ast::Expr<'_>>) -> Result<Option<Box<ExprNode>>, SyntaxFault> {
    expr.map(boxed).transpose()
}

fn nodes(exprs: &[ast::Expr<'_>]) -> Result<Vec<ExprNode>, SyntaxFault> {
    exprs.iter().map(node).collect()
}

fn node(expr: &ast::Expr<'_>) -> Result<ExprNode, SyntaxFault> {
    Ok(match expr {
        ast::Expr::Var(var) => ExprNode::Name(var.id.to_owned()),
        ast::Expr::Const(constant) => ExprNode::Constant(constant.value.clone()),
        ast::Expr::Slice(slice) => ExprNode::Slice {
            of: boxed(&slice.expr)?,
            bounds: [
                maybe(slice.start.as_ref())?,
                maybe(slice.stop.as_ref())?,
                maybe(slice.step.as_ref())?,
            ],
        },
        ast::Expr::UnaryOp(unary) => match unary.op {
            ast::UnaryOpKind::Not => ExprNode::Not(boxed(&unary.expr)?),
            ast::UnaryOpKind::Neg => ExprNode::Minus(boxed(&unary.expr)?),
        },
        ast::Expr::BinOp(binary) => operation(binary)?,
        ast::Expr::Compare(compare) => ExprNode::Compared {
            first: boxed(&compare.expr)?,
            rest: compare
                .ops
                .iter()
                .map(|op| {
                    let comparison = match op.op {
                        ast::CompareOpKind::Eq => Comparison::Equal,
                        ast::CompareOpKind::Ne => Comparison::NotEqual,
                        ast::CompareOpKind::Lt => Comparison::Less,
                        ast::CompareOpKind::Lte => Comparison::LessOrEqual,
                        ast::CompareOpKind::Gt => Comparison::Greater,
                        ast::CompareOpKind::Gte => Comparison::GreaterOrEqual,
                        ast::CompareOpKind::In => Comparison::In,
                        ast::CompareOpKind::NotIn => Comparison::NotIn,
                    };
                    Ok((comparison, node(&op.expr)?))
                })
                .collect::<Result<_, SyntaxFault>>()?,
        },
        ast::Expr::IfExpr(choice) => ExprNode::Choice {
            test: boxed(&choice.test_expr)?,
            yes: boxed(&choice.true_expr)?,
            no: maybe(choice.false_expr.as_ref())?,
        },
        ast::Expr::Filter(filter) => ExprNode::Filter {
            name: filter.name.to_owned(),
            of: maybe(filter.expr.as_ref())?,
            arguments: arguments(&filter.args)?,
        },
        ast::Expr::Test(test) => ExprNode::Test {
            name: test.name.to_owned(),
            of: boxed(&test.expr)?,
            arguments: arguments(&test.args)?,
        },
        ast::Expr::GetAttr(get) => {
            ExprNode::Attribute { of: boxed(&get.expr)?, name: get.name.to_owned() }
        }
        ast::Expr::GetItem(get) => {
            ExprNode::Item { of: boxed(&get.expr)?, key: boxed(&get.subscript_expr)? }
        }
        ast::Expr::Call(call) => {
            ExprNode::Call { what: boxed(&call.expr)?, arguments: arguments(&call.args)? }
        }
        ast::Expr::List(list) => ExprNode::List(nodes(&list.items)?),
        ast::Expr::Tuple(tuple) => ExprNode::List(nodes(&tuple.items)?),
        ast::Expr::Map(map) => {
            ExprNode::Map(nodes(&map.keys)?.into_iter().zip(nodes(&map.values)?).collect())
        }
    })
}

fn operation(binary: &ast::BinOp<'_>) -> Result<ExprNode, SyntaxFault> {
    let left = boxed(&binary.left)?;
    let right = boxed(&binary.right)?;
    let compared = |comparison, left, right: Box<ExprNode>| ExprNode::Compared {
        first: left,
        rest: vec![(comparison, *right)],
    };
    let operator = match binary.op {
        ast::BinOpKind::ScAnd => return Ok(ExprNode::And(left, right)),
        ast::BinOpKind::ScOr => return Ok(ExprNode::Or(left, right)),
        ast::BinOpKind::Concat => return Ok(ExprNode::Joined(left, right)),
        ast::BinOpKind::Eq => return Ok(compared(Comparison::Equal, left, right)),
        ast::BinOpKind::Ne => return Ok(compared(Comparison::NotEqual, left, right)),
        ast::BinOpKind::Lt => return Ok(compared(Comparison::Less, left, right)),
        ast::BinOpKind::Lte => return Ok(compared(Comparison::LessOrEqual, left, right)),
        ast::BinOpKind::Gt => return Ok(compared(Comparison::Greater, left, right)),
        ast::BinOpKind::Gte => return Ok(compared(Comparison::GreaterOrEqual, left, right)),
        ast::BinOpKind::In => return Ok(compared(Comparison::In, left, right)),
        ast::BinOpKind::Add => Operator::Add,
        ast::BinOpKind::Sub => Operator::Subtract,
        ast::BinOpKind::Mul => Operator::Multiply,
        ast::BinOpKind::Div => Operator::Divide,
        ast::BinOpKind::FloorDiv => Operator::DivideWhole,
        ast::BinOpKind::Rem => Operator::Remainder,
        ast::BinOpKind::Pow => Operator::Power,
    };
    Ok(ExprNode::Calculated { operator, left, right })
}

fn arguments(given: &[ast::CallArg<'_>]) -> Result<Vec<Argument>, SyntaxFault> {
    given
        .iter()
        .map(|argument| match argument {
            ast::CallArg::Pos(value) => Ok(Argument { name: None, value: node(value)? }),
            ast::CallArg::Kwarg(name, value) => {
                Ok(Argument { name: Some((*name).to_owned()), value: node(value)? })
            }
            ast::CallArg::PosSplat(value) | ast::CallArg::KwargSplat(value) => Err(SyntaxFault {
                line: usize::from(value.span().start_line),
                message: "arguments are written one by one; `*` and `**` are not supported"
                    .to_owned(),
            }),
        })
        .collect()
}

fn statements(parts: &[ast::Stmt<'_>]) -> Result<Vec<Statement>, SyntaxFault> {
    parts.iter().map(statement).collect()
}

fn statement(part: &ast::Stmt<'_>) -> Result<Statement, SyntaxFault> {
    let (line, kind) = match part {
        ast::Stmt::Template(s) => (s.span(), StatementKind::Group(statements(&s.children)?)),
        ast::Stmt::EmitExpr(s) => (s.span(), StatementKind::Print(node(&s.expr)?)),
        ast::Stmt::EmitRaw(s) => (s.span(), StatementKind::Text(s.raw.to_owned())),
        ast::Stmt::ForLoop(s) => {
            if s.recursive {
                return Err(refused(s.span(), "`recursive` loops are not supported"));
            }
            let kind = StatementKind::For {
                target: target(&s.target)?,
                over: node(&s.iter)?,
                only: s.filter_expr.as_ref().map(node).transpose()?,
                body: statements(&s.body)?,
                otherwise: statements(&s.else_body)?,
            };
            (s.span(), kind)
        }
        ast::Stmt::IfCond(s) => {
            let kind = StatementKind::If {
                test: node(&s.expr)?,
                body: statements(&s.true_body)?,
                otherwise: statements(&s.false_body)?,
            };
            (s.span(), kind)
        }
        ast::Stmt::WithBlock(s) => {
            let set = s.assignments.iter().map(|(name, value)| Ok((target(name)?, node(value)?)));
            let set = set.collect::<Result<_, SyntaxFault>>()?;
            (s.span(), StatementKind::With { set, body: statements(&s.body)? })
        }
        ast::Stmt::Set(s) => {
            (s.span(), StatementKind::Set { target: target(&s.target)?, value: node(&s.expr)? })
        }
        ast::Stmt::SetBlock(s) => {
            let kind = StatementKind::Capture {
                target: target(&s.target)?,
                filter: s.filter.as_ref().map(node).transpose()?,
                body: statements(&s.body)?,
            };
            (s.span(), kind)
        }
        // What is printed is made harmless whatever a template says.
        ast::Stmt::AutoEscape(s) => (s.span(), StatementKind::Group(statements(&s.body)?)),
        ast::Stmt::FilterBlock(s) => (
            s.span(),
            StatementKind::Filtered { filter: node(&s.filter)?, body: statements(&s.body)? },
        ),
        ast::Stmt::Block(s) => (s.span(), StatementKind::Group(statements(&s.body)?)),
        ast::Stmt::Macro(s) => (s.span(), StatementKind::Macro(a_macro(s)?.into())),
        ast::Stmt::CallBlock(s) => {
            let kind = StatementKind::CallBlock {
                what: node(&s.call.expr)?,
                arguments: arguments(&s.call.args)?,
                caller: a_macro(&s.macro_decl)?.into(),
            };
            (s.span(), kind)
        }
        ast::Stmt::Do(s) => {
            let call =
                ExprNode::Call { what: boxed(&s.call.expr)?, arguments: arguments(&s.call.args)? };
            (s.span(), StatementKind::If { test: call, body: Vec::new(), otherwise: Vec::new() })
        }
        ast::Stmt::Import(s) => return Err(alone(s.span())),
        ast::Stmt::FromImport(s) => return Err(alone(s.span())),
        ast::Stmt::Extends(s) => return Err(alone(s.span())),
        ast::Stmt::Include(s) => return Err(alone(s.span())),
    };
    Ok(Statement { line: usize::from(line.start_line), kind })
}

fn a_macro(declared: &ast::Macro<'_>) -> Result<Macro, SyntaxFault> {
    // Defaults belong to the last parameters.
    let without = declared.args.len().saturating_sub(declared.defaults.len());
    let mut parameters = Vec::with_capacity(declared.args.len());
    for (at, parameter) in declared.args.iter().enumerate() {
        let ast::Expr::Var(var) = parameter else {
            return Err(refused(parameter.span(), "a macro's parameters are names"));
        };
        let default = at.checked_sub(without).and_then(|at| declared.defaults.get(at));
        parameters.push((var.id.to_owned(), default.map(node).transpose()?));
    }
    Ok(Macro { name: declared.name.to_owned(), parameters, body: statements(&declared.body)? })
}

fn target(expr: &ast::Expr<'_>) -> Result<AssignTarget, SyntaxFault> {
    match expr {
        ast::Expr::Var(var) => Ok(AssignTarget::Name(var.id.to_owned())),
        ast::Expr::GetAttr(get) => match &get.expr {
            ast::Expr::Var(var) => {
                Ok(AssignTarget::Attribute(var.id.to_owned(), get.name.to_owned()))
            }
            _ => Err(refused(expr.span(), "only a name or `namespace.name` can be set")),
        },
        ast::Expr::List(list) => {
            list.items.iter().map(target).collect::<Result<_, _>>().map(AssignTarget::Several)
        }
        ast::Expr::Tuple(tuple) => {
            tuple.items.iter().map(target).collect::<Result<_, _>>().map(AssignTarget::Several)
        }
        _ => Err(refused(expr.span(), "only a name or `namespace.name` can be set")),
    }
}

fn refused(span: minijinja::machinery::Span, message: &str) -> SyntaxFault {
    SyntaxFault { line: usize::from(span.start_line), message: message.to_owned() }
}

fn alone(span: minijinja::machinery::Span) -> SyntaxFault {
    refused(span, "a template stands alone: `include`, `import` and `extends` are not supported")
}
