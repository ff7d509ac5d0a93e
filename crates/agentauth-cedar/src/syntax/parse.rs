use super::lex::{Kind as TokenKind, Token, tokens};
use super::{Annotation, Condition, Expr, Kind, PolicyText, Span};

/// Deeper than people nest what they write; and what every stack has room for.
const MAX_DEPTH: usize = 64;

/// The policies of `source`, in their order. What cannot be read is left out: Cedar says what is wrong with it.
pub(crate) fn policies(source: &str) -> Vec<PolicyText> {
    let Some(tokens) = tokens(source) else { return Vec::new() };
    let mut reader = Reader { source, tokens: &tokens, at: 0, depth: 0 };
    let mut found = Vec::new();
    while reader.at < tokens.len() {
        match reader.policy() {
            Some(policy) => found.push(policy),
            None => reader.skip_policy(),
        }
    }
    found
}

struct Reader<'s> {
    source: &'s str,
    tokens: &'s [Token],
    at: usize,
    depth: usize,
}

impl<'s> Reader<'s> {
    fn peek(&self) -> &'s str {
        self.tokens.get(self.at).map_or("", |token| token.span.of(self.source))
    }

    fn kind(&self) -> Option<TokenKind> {
        self.tokens.get(self.at).map(|token| token.kind)
    }

    fn start(&self) -> usize {
        self.tokens.get(self.at).map_or(self.source.len(), |token| token.span.start)
    }

    /// From `start` up to what has been read last.
    fn since(&self, start: usize) -> Span {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        Span { start, end: last.map_or(start, |token| token.span.end) }
    }

    fn next(&mut self) -> Option<Span> {
        let token = self.tokens.get(self.at)?;
        self.at = self.at.saturating_add(1);
        Some(token.span)
    }

    /// Whether `text` is next; it has then been read.
    fn skip(&mut self, text: &str) -> bool {
        let found = self.peek() == text && self.kind() != Some(TokenKind::Text);
        if found {
            self.at = self.at.saturating_add(1);
        }
        found
    }

    fn expect(&mut self, text: &str) -> Option<()> {
        self.skip(text).then_some(())
    }

    fn name(&mut self) -> Option<Box<str>> {
        (self.kind() == Some(TokenKind::Name)).then_some(())?;
        Some(self.next()?.of(self.source).into())
    }

    fn text(&mut self) -> Option<Span> {
        (self.kind() == Some(TokenKind::Text)).then_some(())?;
        self.next()
    }

    /// Goes on behind the next semicolon.
    fn skip_policy(&mut self) {
        self.depth = 0;
        while !self.skip(";") && self.next().is_some() {}
    }

    fn policy(&mut self) -> Option<PolicyText> {
        let start = self.start();
        let mut annotations = Vec::new();
        while self.peek() == "@" {
            let start = self.start();
            self.next()?;
            let name = self.name()?;
            let value = if self.skip("(") { Some(self.text()?) } else { None };
            if value.is_some() {
                self.expect(")")?;
            }
            annotations.push(Annotation { span: self.since(start), name, value });
        }
        let body = self.start();
        let permits = match self.peek() {
            "permit" => true,
            "forbid" => false,
            _ => return None,
        };
        let effect = self.next()?;
        self.expect("(")?;
        let scope = self.list(")")?;
        let mut conditions = Vec::new();
        while matches!(self.peek(), "when" | "unless") {
            let unless = self.peek() == "unless";
            self.next()?;
            self.expect("{")?;
            conditions.push(Condition { unless, body: self.expression()? });
            self.expect("}")?;
        }
        let body = self.since(body);
        self.expect(";")?;
        Some(PolicyText { span: self.since(start), annotations, permits, body, effect, scope, conditions })
    }

    /// Expressions with commas between them, up to `end`.
    fn list(&mut self, end: &str) -> Option<Vec<Expr>> {
        let mut items = Vec::new();
        while !self.skip(end) {
            items.push(self.expression()?);
            if !self.skip(",") {
                self.expect(end)?;
                break;
            }
        }
        Some(items)
    }

    fn expression(&mut self) -> Option<Expr> {
        self.depth = self.depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH)?;
        let start = self.start();
        let kind = if self.skip("if") {
            let condition = self.expression()?;
            self.expect("then")?;
            let then = self.expression()?;
            self.expect("else")?;
            Kind::If(Box::new([condition, then, self.expression()?]))
        } else {
            let mut parts = vec![self.conjunction()?];
            while self.skip("||") {
                parts.push(self.conjunction()?);
            }
            match (parts.pop(), parts.is_empty()) {
                (Some(only), true) => return self.up(only),
                (last, _) => Kind::Any(parts.into_iter().chain(last).collect()),
            }
        };
        let span = self.since(start);
        self.up(Expr { span, kind })
    }

    fn up(&mut self, read: Expr) -> Option<Expr> {
        self.depth = self.depth.saturating_sub(1);
        Some(read)
    }

    fn conjunction(&mut self) -> Option<Expr> {
        let start = self.start();
        let first = self.relation()?;
        if self.peek() != "&&" {
            return Some(first);
        }
        let mut parts = vec![first];
        while self.skip("&&") {
            parts.push(self.relation()?);
        }
        Some(Expr { span: self.since(start), kind: Kind::All(parts) })
    }

    fn relation(&mut self) -> Option<Expr> {
        let start = self.start();
        let left = Box::new(self.sum()?);
        let operators = ["==", "!=", "<=", ">=", "<", ">", "in"];
        let kind = match self.peek() {
            "has" => {
                self.next()?;
                self.sum()?;
                Kind::Has(left)
            }
            "like" => {
                self.next()?;
                self.text()?;
                Kind::Like(left)
            }
            "is" => {
                self.next()?;
                self.sum()?;
                let within = if self.skip("in") { Some(Box::new(self.sum()?)) } else { None };
                Kind::Is(left, within)
            }
            sign => match operators.iter().find(|operator| **operator == sign) {
                Some(operator) => {
                    self.next()?;
                    Kind::Binary(operator, left, Box::new(self.sum()?))
                }
                None => return Some(*left),
            },
        };
        Some(Expr { span: self.since(start), kind })
    }

    fn sum(&mut self) -> Option<Expr> {
        let start = self.start();
        let mut left = self.product()?;
        while let Some(operator) = ["+", "-"].iter().find(|operator| **operator == self.peek()) {
            self.next()?;
            let right = self.product()?;
            left = Expr { span: self.since(start), kind: Kind::Binary(operator, Box::new(left), Box::new(right)) };
        }
        Some(left)
    }

    fn product(&mut self) -> Option<Expr> {
        let start = self.start();
        let mut left = self.unary()?;
        while self.skip("*") {
            let right = self.unary()?;
            left = Expr { span: self.since(start), kind: Kind::Binary("*", Box::new(left), Box::new(right)) };
        }
        Some(left)
    }

    fn unary(&mut self) -> Option<Expr> {
        let start = self.start();
        // Cedar takes no more than four of them.
        let signs =
            self.tokens.iter().skip(self.at).take_while(|token| matches!(token.span.of(self.source), "!" | "-"));
        let signs: Vec<bool> = signs.take(5).map(|token| token.span.of(self.source) == "!").collect();
        for _ in &signs {
            self.next()?;
        }
        let one = self.member()?;
        signs.iter().rev().try_fold(one, |one, is_not| {
            let kind = match one.kind {
                Kind::Long(number) if !is_not => Kind::Long(number.checked_neg()?),
                _ if *is_not => Kind::Not(Box::new(one)),
                _ => Kind::Negated(Box::new(one)),
            };
            Some(Expr { span: self.since(start), kind })
        })
    }

    fn member(&mut self) -> Option<Expr> {
        let start = self.start();
        let mut one = self.primary()?;
        loop {
            let kind = if self.skip(".") {
                let name = self.name()?;
                if self.skip("(") {
                    Kind::Method(Box::new(one), name, self.list(")")?)
                } else {
                    Kind::Get(Box::new(one), name)
                }
            } else if self.skip("[") {
                let name = self.text()?.of(self.source);
                self.expect("]")?;
                Kind::Get(Box::new(one), name.trim_matches('"').into())
            } else {
                return Some(one);
            };
            one = Expr { span: self.since(start), kind };
        }
    }

    fn primary(&mut self) -> Option<Expr> {
        let start = self.start();
        let kind = match self.kind()? {
            TokenKind::Number => Kind::Long(self.next()?.of(self.source).parse().ok()?),
            TokenKind::Slot => {
                self.next()?;
                Kind::Slot
            }
            TokenKind::Text => {
                self.next()?;
                Kind::Text
            }
            TokenKind::Name => self.named()?,
            TokenKind::Sign => match self.peek() {
                "(" => {
                    self.next()?;
                    let inner = self.expression()?;
                    self.expect(")")?;
                    return Some(inner);
                }
                "[" => {
                    self.next()?;
                    Kind::Set(self.list("]")?)
                }
                "{" => {
                    self.next()?;
                    self.record()?
                }
                _ => return None,
            },
        };
        Some(Expr { span: self.since(start), kind })
    }

    /// A word, a variable, an entity, a type or a function.
    fn named(&mut self) -> Option<Kind> {
        let start = self.start();
        let name = self.name()?;
        let mut end = self.since(start);
        while self.skip("::") {
            if self.text().is_some() {
                return Some(Kind::Entity(end.of(self.source).split_whitespace().collect::<String>().into()));
            }
            self.name()?;
            end = self.since(start);
        }
        if self.skip("(") {
            return Some(Kind::Function(end.of(self.source).into(), self.list(")")?));
        }
        Some(match &*name {
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            _ => Kind::Variable(end.of(self.source).into()),
        })
    }

    /// `name: value` or `"name": value`, up to the brace.
    fn record(&mut self) -> Option<Kind> {
        let mut values = Vec::new();
        while !self.skip("}") {
            if self.text().is_none() {
                self.name()?;
            }
            self.expect(":")?;
            values.push(self.expression()?);
            if !self.skip(",") {
                self.expect("}")?;
                break;
            }
        }
        Some(Kind::Record(values))
    }
}
