//! Which files each file of the crate uses, from its syntax.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Macro, UseTree, Visibility};

/// A path in a file that leads to other files.
pub struct Use {
    /// Where it is.
    pub line: usize,
    /// What is written there.
    pub path: String,
    /// Where it leads: one file, or one for each processor.
    pub files: Vec<String>,
}

/// A path in a file: its segments.
#[derive(Clone)]
struct Mention {
    line: usize,
    segments: Vec<String>,
}

/// A module: its segments from the crate's root.
type Module = Vec<String>;

/// The library's files, by their path in `src` without `.rs`.
#[derive(Clone, Default)]
pub struct Sources {
    /// The paths in each file.
    mentions: BTreeMap<String, Vec<Mention>>,
    /// Which module each file is.
    modules: BTreeMap<String, Module>,
}

impl Sources {
    /// Reads the crate, along its `mod` items.
    pub fn read() -> Self {
        let mut sources = Self::default();
        sources.add("lib", Vec::new());
        sources
    }

    fn add(&mut self, file: &str, module: Module) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let path = root.join(file).with_extension("rs");
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let items = items(&text);
        for item in &items {
            let Item::Mod(ItemMod {
                attrs,
                ident,
                content: None,
                ..
            }) = item
            else {
                continue;
            };
            let name = ident.to_string();
            let child: Module = module.iter().cloned().chain([name.clone()]).collect();
            let folder = if file == "lib" {
                PathBuf::new()
            } else {
                file.into()
            };
            let given: Vec<String> = attrs.iter().filter_map(path_attribute).collect();
            let files = if given.is_empty() {
                vec![folder.join(&name)]
            } else {
                let beside = Path::new(file).parent().unwrap_or(Path::new(""));
                given
                    .iter()
                    .map(|path| beside.join(path).with_extension(""))
                    .collect()
            };
            for file in files {
                self.add(file.to_str().expect("plain names"), child.clone());
            }
        }
        self.mentions.insert(file.to_owned(), mentions(&items));
        self.modules.insert(file.to_owned(), module);
    }

    /// All files.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.mentions.keys().map(String::as_str)
    }

    /// Adds a line to `file`.
    pub fn append(&mut self, file: &str, line: &str) {
        let mentioned = self.mentions.get_mut(file).expect("a file of the crate");
        mentioned.extend(mentions(&items(line)));
    }

    /// Which other files `file` uses.
    pub fn uses(&self, file: &str) -> Vec<Use> {
        let mut uses = Vec::new();
        for Mention { line, segments } in &self.mentions[file] {
            let files = self.resolve(file, segments);
            if !files.is_empty() {
                uses.push(Use {
                    line: *line,
                    path: segments.join("::"),
                    files,
                });
            }
        }
        uses
    }

    /// Where `file` names one of `names`, be it alone or in a module.
    pub fn names(&self, file: &str, names: &[&str]) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for Mention { line, segments } in &self.mentions[file] {
            let is_module = |segment: &String| segment.chars().all(|c| !c.is_uppercase());
            let first = segments.iter().find(|segment| !is_module(segment));
            if let Some(name) = first.filter(|name| names.contains(&name.as_str())) {
                found.push((*line, name.clone()));
            }
        }
        found
    }

    /// The files other than `file` that `path` leads to: those of the module at
    /// its end. A path that begins with what a `use` brought in has been counted
    /// there.
    fn resolve(&self, file: &str, path: &[String]) -> Vec<String> {
        let own = &self.modules[file];
        let mut module = own.clone();
        let mut rest = path;
        match rest.first().map(String::as_str) {
            Some("crate") => {
                module.clear();
                rest = &rest[1..];
            }
            Some("self") => rest = &rest[1..],
            Some("super") => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    module.pop();
                    rest = &rest[1..];
                }
            }
            Some(first) if self.is_module(&child(own, first)) => {}
            _ => return Vec::new(),
        }
        for segment in rest {
            let child = child(&module, segment);
            if !self.is_module(&child) {
                break;
            }
            module = child;
        }
        // Another file of the same module is the other processor's.
        if module == *own {
            return Vec::new();
        }
        let of_module = self.modules.iter().filter(|(_, other)| **other == module);
        of_module.map(|(other, _)| other.clone()).collect()
    }

    fn is_module(&self, module: &Module) -> bool {
        self.modules.values().any(|other| other == module)
    }
}

fn mentions(items: &[Item]) -> Vec<Mention> {
    let mut collector = Collector(Vec::new());
    for item in items {
        collector.visit_item(item);
    }
    collector.0
}

fn child(module: &Module, name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// The items of a file, without those of its tests.
fn items(text: &str) -> Vec<Item> {
    let file = syn::parse_file(text).expect("the compiler accepts it");
    let is_test = |item: &Item| match item {
        Item::Mod(item) => item.attrs.iter().any(is_test_only),
        _ => false,
    };
    file.items
        .into_iter()
        .filter(|item| !is_test(item))
        .collect()
}

fn is_test_only(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .parse_args::<syn::Path>()
            .is_ok_and(|path| path.is_ident("test"))
}

/// The file of `#[path = "…"]`, and of `#[cfg_attr(…, path = "…")]`.
fn path_attribute(attribute: &Attribute) -> Option<String> {
    let tokens = match &attribute.meta {
        syn::Meta::NameValue(value) if value.path.is_ident("path") => {
            let syn::Expr::Lit(literal) = &value.value else {
                return None;
            };
            let syn::Lit::Str(text) = &literal.lit else {
                return None;
            };
            return Some(text.value());
        }
        syn::Meta::List(list) if list.path.is_ident("cfg_attr") => list.tokens.clone(),
        _ => return None,
    };
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let [
        ..,
        TokenTree::Ident(name),
        TokenTree::Punct(_),
        TokenTree::Literal(text),
    ] = &tokens[..]
    else {
        return None;
    };
    (name == "path").then(|| text.to_string().trim_matches('"').to_owned())
}

/// Collects every path of a file.
struct Collector(Vec<Mention>);

impl Visit<'_> for Collector {
    fn visit_path(&mut self, path: &syn::Path) {
        if let Some(first) = path.segments.first() {
            self.0.push(Mention {
                line: first.ident.span().start().line,
                segments: path
                    .segments
                    .iter()
                    .map(|segment| segment.ident.to_string())
                    .collect(),
            });
        }
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        self.tree(&item.tree, &mut Vec::new());
    }

    fn visit_macro(&mut self, call: &Macro) {
        self.tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, _: &Attribute) {}

    fn visit_visibility(&mut self, _: &Visibility) {}
}

impl Collector {
    fn tree(&mut self, tree: &UseTree, before: &mut Vec<String>) {
        let (ident, rest) = match tree {
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(tree, before);
                }
                return;
            }
            UseTree::Glob(glob) => {
                let line = glob.star_token.spans[0].start().line;
                self.0.push(Mention {
                    line,
                    segments: before.clone(),
                });
                return;
            }
            UseTree::Path(path) => (&path.ident, Some(&path.tree)),
            UseTree::Name(name) => (&name.ident, None),
            UseTree::Rename(rename) => (&rename.ident, None),
        };
        before.push(ident.to_string());
        if let Some(rest) = rest {
            self.tree(rest, before);
        } else {
            let line = ident.span().start().line;
            self.0.push(Mention {
                line,
                segments: before.clone(),
            });
        }
        before.pop();
    }

    /// Paths among the tokens of a macro's call.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Option<Mention> = None;
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Ident(ident) => {
                    match &mut path {
                        Some(path) if colons == 2 => path.segments.push(ident.to_string()),
                        _ => {
                            self.0.extend(path.replace(Mention {
                                line: ident.span().start().line,
                                segments: vec![ident.to_string()],
                            }));
                        }
                    }
                    colons = 0;
                }
                other => {
                    self.0.extend(path.take());
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.0.extend(path);
    }
}
