//! What the gateway answers itself: an index, the documents, the list of problems, health and metrics.

mod documents;
mod health;
mod index;
mod problems;

use std::sync::Arc;

use axum::{
    Router,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode, Uri,
    header::{
        ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
        IF_NONE_MATCH, VARY,
    },
};
use parking_lot::RwLock;
use pasar_chassis::{
    grpc,
    host::Host,
    openapi::base,
    problem::with_fallbacks,
    service::{BootError, Running},
    telemetry::Metrics,
};
use pasar_contracts::grpc::{health::HEALTH, reflection::REFLECTION};
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    compression::{self, gzip},
    config::{Config, DetailsFor},
    openapi::Document,
};

/// What the pages are made of. The OpenAPI document is made anew when a service elsewhere tells its own.
struct Pages {
    public_url: String,
    openapi: Served,
    asyncapi: File,
    docs: File,
    script: File,
    style: File,
    details_for: DetailsFor,
    host: Host,
    probes: Router,
}

/// Bytes that do not change while the process runs, in both codings.
pub(crate) struct File {
    media_type: &'static str,
    plain: Bytes,
    gzip: Option<Bytes>,
    tag: HeaderValue,
    gzip_tag: HeaderValue,
}

/// The OpenAPI document that is served now.
#[derive(Clone)]
pub(crate) struct Served(Arc<RwLock<Arc<File>>>);

/// Our own pages run our own script and style, and nothing from elsewhere.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
const HTML: &str = "text/html; charset=utf-8";
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// The document of these operations alone.
pub(crate) fn openapi() -> OpenApi {
    operations().split_for_parts().1
}

pub(crate) fn router(
    host: &Host,
    config: &Config,
    metrics: Metrics,
    openapi: Served,
    services: &[&str],
) -> Running {
    let pages = Pages {
        public_url: host.public_url.clone(),
        openapi,
        asyncapi: File::new("application/json", asyncapi(&host.public_url).into()),
        docs: File::new(
            HTML,
            Bytes::from_static(include_bytes!("../assets/docs.html")),
        ),
        script: File::new(
            "text/javascript; charset=utf-8",
            Bytes::from_static(include_bytes!("../assets/docs.js")),
        ),
        style: File::new(
            "text/css; charset=utf-8",
            Bytes::from_static(include_bytes!("../assets/style.css")),
        ),
        details_for: config.details_for,
        host: host.clone(),
        probes: pasar_chassis::health::router(host.health.clone(), metrics),
    };
    let (router, openapi) = operations().split_for_parts();
    let router = router
        .with_state(Arc::new(pages))
        .merge(grpc::health::router(host, services))
        .merge(grpc::reflection::router(host, services));
    Running {
        router: with_fallbacks(router),
        openapi,
        grpc: &[HEALTH, REFLECTION],
    }
}

impl Served {
    pub(crate) fn new(document: &Document) -> Result<Self, BootError> {
        let file = Self::file(document)?;
        Ok(Self(Arc::new(RwLock::new(Arc::new(file)))))
    }

    pub(crate) fn replace(&self, document: &Document) -> Result<(), BootError> {
        let file = Self::file(document)?;
        *self.0.write() = Arc::new(file);
        Ok(())
    }

    fn file(document: &Document) -> Result<File, BootError> {
        let json = document.to_json()?.to_string();
        Ok(File::new("application/json", json.into()))
    }

    fn respond(&self, request: &HeaderMap) -> Response {
        let file = Arc::clone(&self.0.read());
        file.respond(request)
    }
}

/// The document of what is pushed, with where that is.
fn asyncapi(public_url: &str) -> String {
    let mut document = pasar_contracts::asyncapi::document(env!("CARGO_PKG_VERSION"));
    if let Ok(url) = public_url.parse::<Uri>()
        && let (Some(scheme), Some(host)) = (url.scheme_str(), url.authority())
    {
        let server = json!({"host": host.as_str(), "pathname": url.path(), "protocol": scheme});
        document["servers"] = json!({"pasar": server});
    }
    document.to_string()
}

fn operations() -> OpenApiRouter<Arc<Pages>> {
    OpenApiRouter::with_openapi(base("gateway", "What tells about the installation itself."))
        .routes(routes!(index::get_index))
        .routes(routes!(documents::get_openapi))
        .routes(routes!(documents::get_asyncapi))
        .routes(routes!(documents::get_docs))
        .routes(routes!(documents::get_script))
        .routes(routes!(documents::get_style))
        .routes(routes!(problems::list_problems))
        .routes(routes!(problems::get_problem))
        .routes(routes!(health::get_liveness))
        .routes(routes!(health::get_readiness))
        .routes(routes!(health::get_metrics))
}

impl File {
    fn new(media_type: &'static str, plain: Bytes) -> Self {
        let hash = Sha256::digest(&plain);
        let tag = |suffix: &str| {
            let text = format!(
                "\"{:x}{suffix}\"",
                u64::from_be_bytes(*hash.first_chunk().unwrap_or(&[0; 8]))
            );
            HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("\"0\""))
        };
        Self {
            media_type,
            gzip: gzip(&plain, flate2::Compression::best()).filter(|gzip| gzip.len() < plain.len()),
            tag: tag(""),
            gzip_tag: tag("-gzip"),
            plain,
        }
    }

    /// The file, in the coding that the client takes, unless it has it.
    fn respond(&self, request: &HeaderMap) -> Response {
        let coded = self
            .gzip
            .as_ref()
            .filter(|_| compression::is_wanted(request, ""));
        let (body, tag) = match coded {
            Some(gzip) => (gzip.clone(), &self.gzip_tag),
            None => (self.plain.clone(), &self.tag),
        };
        let has_it = request.get_all(IF_NONE_MATCH).iter().any(|known| {
            let known = known.to_str().unwrap_or_default().split(',');
            known
                .map(|tag| tag.trim().trim_start_matches("W/"))
                .any(|known| known == "*" || tag == known)
        });
        let mut response = if has_it {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            body.into_response()
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        headers.insert(ETAG, tag.clone());
        headers.insert(CACHE_CONTROL, REVALIDATE);
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        headers.insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
        if coded.is_some() && !has_it {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// Whether a browser asks, as a person would.
fn wants_html(headers: &HeaderMap) -> bool {
    let mut accepted = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    accepted.any(|accepted| accepted.contains("text/html"))
}

/// A page around some content, which must be escaped already.
fn page(title: &str, content: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title} · Pasar</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"/docs/style.css\">\
         <main>{content}</main></html>"
    );
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(HTML)),
        (CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (CACHE_CONTROL, REVALIDATE),
        (VARY, HeaderValue::from_static("Accept")),
    ];
    (headers, html).into_response()
}
