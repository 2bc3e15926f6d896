//! The payment methods that are configured, by the name that an order gives.

use std::{collections::BTreeMap, sync::Arc};

use pasar_chassis::signature::Secret;

use crate::{
    config::{Config, Names, SANDBOX},
    payment::CASH,
    provider::Provider,
    providers::http::HttpProvider,
    sandbox::Sandbox,
};

/// Cheap to clone.
#[derive(Clone)]
pub struct Methods(Arc<Inner>);

struct Inner {
    cash: bool,
    sandbox: Option<Sandbox>,
    providers: BTreeMap<String, Entry>,
}

struct Entry {
    provider: Arc<dyn Provider>,
    /// What its notices are signed with.
    secrets: Vec<Secret>,
}

impl Methods {
    /// What the configuration names. The sandbox is given in, as it has a database of its own.
    pub fn new(
        config: &Config,
        sandbox: Option<Sandbox>,
        clock: &Arc<dyn pasar_store::clock::Clock>,
    ) -> Result<Self, reqwest::Error> {
        let mut providers = BTreeMap::new();
        if let Some(sandbox) = &sandbox {
            let entry = Entry {
                provider: Arc::new(sandbox.clone()),
                secrets: Vec::new(),
            };
            providers.insert(SANDBOX.to_owned(), entry);
        }
        for (name, http) in &config.http {
            let entry = Entry {
                provider: Arc::new(HttpProvider::new(http, Arc::clone(clock))?),
                secrets: http.secrets.clone(),
            };
            providers.insert(name.clone(), entry);
        }
        tracing::info!(
            providers = %Names(&providers.keys().collect::<Vec<_>>()),
            cash = config.cash.enabled,
            "payment methods are ready"
        );
        Ok(Self(Arc::new(Inner {
            cash: config.cash.enabled,
            sandbox,
            providers,
        })))
    }

    /// Providers that a test gives in, each with the secrets of its notices.
    #[must_use]
    pub fn of(
        cash: bool,
        providers: impl IntoIterator<Item = (String, Arc<dyn Provider>, Vec<Secret>)>,
    ) -> Self {
        let providers = providers
            .into_iter()
            .map(|(name, provider, secrets)| (name, Entry { provider, secrets }))
            .collect();
        Self(Arc::new(Inner {
            cash,
            sandbox: None,
            providers,
        }))
    }

    /// Whether an order may be paid by it.
    #[must_use]
    pub fn knows(&self, method: &str) -> bool {
        if method == CASH {
            self.0.cash
        } else {
            self.0.providers.contains_key(method)
        }
    }

    #[must_use]
    pub fn provider(&self, method: &str) -> Option<&dyn Provider> {
        self.0.providers.get(method).map(|entry| &*entry.provider)
    }

    /// What a provider signs its notices with; `None` if it sends none.
    #[must_use]
    pub fn notice_secrets(&self, provider: &str) -> Option<&[Secret]> {
        self.0
            .providers
            .get(provider)
            .map(|entry| &*entry.secrets)
            .filter(|secrets| !secrets.is_empty())
    }

    #[must_use]
    pub fn sandbox(&self) -> Option<&Sandbox> {
        self.0.sandbox.as_ref()
    }
}
