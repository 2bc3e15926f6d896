//! What a product is: the checked form of what staff says about it. No transaction, no stock.

use std::collections::BTreeMap;

use pasar_chassis::problem::FieldError;
use pasar_contracts::api::inventory::ProductInput;
use pasar_types::{
    money::{Money, TaxRate},
    sku::Sku,
};

use crate::field;

/// What staff decides about a product, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductDetails {
    pub name: String,
    pub names: BTreeMap<String, String>,
    pub price: Money,
    pub tax_rate: TaxRate,
    pub category: Option<String>,
    pub track_stock: bool,
    pub withdrawn: bool,
}

const MAX_NAME: usize = 200;
const MAX_CATEGORY: usize = 100;
const MAX_LANGUAGES: usize = 20;

impl ProductDetails {
    pub fn new(input: &ProductInput) -> Result<Self, Vec<FieldError>> {
        let name = field::text("name", &input.name, MAX_NAME);
        let names = names(&input.names);
        let price = field::price("price", input.price);
        let category = field::optional_text("category", input.category.as_deref(), MAX_CATEGORY);
        match (name, names, price, category) {
            (Ok(name), Ok(names), Ok(price), Ok(category)) => Ok(Self {
                name,
                names,
                price,
                tax_rate: input.tax_rate,
                category,
                track_stock: input.track_stock,
                withdrawn: input.withdrawn,
            }),
            (name, names, price, category) => {
                Err([name.err(), names.err(), price.err(), category.err()]
                    .into_iter()
                    .flatten()
                    .collect())
            }
        }
    }

    /// What a search looks into: SKU and all names, in lower case.
    #[must_use]
    pub fn search_text(&self, sku: &Sku) -> String {
        let mut text = sku.as_str().to_lowercase();
        for name in std::iter::once(&self.name).chain(self.names.values()) {
            text.push('\n');
            text.push_str(&name.to_lowercase());
        }
        text
    }
}

/// A `LIKE` pattern (escaped with `\`) for what holds `q` in any case; everything if it is empty.
#[must_use]
pub fn search_pattern(q: &str) -> String {
    let mut pattern = String::from("%");
    for character in q.trim().to_lowercase().chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    if pattern.len() > 1 {
        pattern.push('%');
    }
    pattern
}

fn names(input: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, FieldError> {
    if input.len() > MAX_LANGUAGES {
        return Err(field::wrong(
            "names",
            format!("expected at most {MAX_LANGUAGES} languages"),
        ));
    }
    let mut names = BTreeMap::new();
    for (tag, name) in input {
        if !field::is_language_tag(tag) {
            return Err(field::wrong(
                "names",
                "expected language tags like id or en-GB",
            ));
        }
        let name = field::text(&format!("names.{tag}"), name, MAX_NAME)?;
        names.insert(tag.clone(), name);
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use pasar_types::money::Currency;

    use super::*;

    fn input() -> ProductInput {
        ProductInput {
            name: " Milk coffee ".to_owned(),
            names: BTreeMap::from([("id".to_owned(), "Kopi Susu".to_owned())]),
            price: Money::new(2_500_000, Currency::IDR),
            tax_rate: TaxRate::from_basis_points(1100).unwrap(),
            category: Some("drinks".to_owned()),
            track_stock: true,
            withdrawn: false,
        }
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let mut wrong = input();
        wrong.name = String::new();
        wrong.names = BTreeMap::from([("id".to_owned(), "\u{7}".to_owned())]);
        wrong.price.amount_minor = -1;
        wrong.category = Some(" ".to_owned());
        let fields: Vec<_> = ProductDetails::new(&wrong)
            .unwrap_err()
            .into_iter()
            .map(|error| error.field)
            .collect();
        assert_eq!(
            fields,
            ["name", "names.id", "price.amount_minor", "category"]
        );
    }

    #[test]
    fn a_search_looks_into_the_sku_and_all_names_in_any_case() {
        let product = ProductDetails::new(&input()).unwrap();
        let text = product.search_text(&"KOPI-1".parse().unwrap());
        assert_eq!(text, "kopi-1\nmilk coffee\nkopi susu");
    }

    #[test]
    fn what_means_something_to_like_is_escaped() {
        assert_eq!(search_pattern(""), "%");
        assert_eq!(search_pattern(" KoPi "), "%kopi%");
        assert_eq!(search_pattern("50%_\\"), "%50\\%\\_\\\\%");
    }
}
