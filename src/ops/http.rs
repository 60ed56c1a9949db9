//! The endpoint.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use super::monitor::Watched;
use crate::engine::Domain;

/// What the endpoint asks of the daemon around it. Both may read files.
pub trait Control: Send + Sync {
    /// The configuration and the rules that are in force, without secrets.
    fn config(&self) -> Value;

    /// Reads the rules anew; either way what became of it.
    fn reload(&self) -> Result<Value, Value>;
}

/// The bearer token, kept as its digest: it is compared in constant time and is in no memory dump.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    #[must_use]
    pub fn new(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Digests of different texts part at a random byte, so an early exit of the comparison tells nothing.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) = given.and_then(|given| given.split_once(' ')).unwrap_or_default();
        scheme.eq_ignore_ascii_case("bearer") && Self::new(token.trim()).0 == self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// What is served.
pub struct Endpoint<D: Domain> {
    pub watched: Arc<Watched<D>>,
    pub control: Arc<dyn Control>,
    /// All metrics in Prometheus' text form.
    pub metrics: Box<dyn Fn() -> String + Send + Sync>,
    pub token: Option<Token>,
}

type Shared<D> = State<Arc<Endpoint<D>>>;

impl<D: Domain> Endpoint<D> {
    /// Serves until the listener fails.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        axum::serve(listener, self.router()).await
    }

    fn router(self) -> Router {
        Router::new()
            .route("/metrics", get(metrics::<D>))
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(readyz::<D>))
            .route("/config", get(config::<D>))
            .route("/state/{key}", get(state::<D>))
            .route("/reload", post(reload::<D>))
            .fallback(|| async { (StatusCode::NOT_FOUND, INDEX) })
            .with_state(Arc::new(self))
    }

    /// What cannot be had without the token: what shows a customer's data, and what changes something.
    #[expect(clippy::result_large_err, reason = "made once, where it is answered")]
    fn admit(&self, headers: &HeaderMap) -> Result<(), Response> {
        match &self.token {
            None => {
                let text = "off: configure ops.token = { env = \"NAME\" } or { file = \"PATH\" }, and restart\n";
                Err((StatusCode::FORBIDDEN, text).into_response())
            }
            Some(token) if token.admits(headers) => Ok(()),
            Some(_) => {
                let text = "send the token of ops.token as Authorization: Bearer TOKEN\n";
                Err((StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], text).into_response())
            }
        }
    }
}

const INDEX: &str = "GET /metrics /healthz /readyz /config /state/{agreement}, POST /reload\n";

async fn metrics<D: Domain>(State(endpoint): Shared<D>) -> Response {
    let rendered = tokio::task::spawn_blocking(move || {
        endpoint.watched.count_open();
        (endpoint.metrics)()
    });
    match rendered.await {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn readyz<D: Domain>(State(endpoint): Shared<D>) -> Response {
    let objections = endpoint.watched.objections();
    if objections.is_empty() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready\n{}\n", objections.join("\n"))).into_response()
}

async fn config<D: Domain>(State(endpoint): Shared<D>) -> Response {
    json_of(StatusCode::OK, &endpoint.control.config())
}

async fn state<D: Domain>(State(endpoint): Shared<D>, Path(key): Path<String>, headers: HeaderMap) -> Response {
    match endpoint.admit(&headers) {
        Ok(()) => json_of(StatusCode::OK, &endpoint.watched.state(&key)),
        Err(refusal) => refusal,
    }
}

async fn reload<D: Domain>(State(endpoint): Shared<D>, headers: HeaderMap) -> Response {
    if let Err(refusal) = endpoint.admit(&headers) {
        return refusal;
    }
    match tokio::task::spawn_blocking(move || endpoint.control.reload()).await {
        Ok(Ok(done)) => json_of(StatusCode::OK, &done),
        Ok(Err(rejected)) => json_of(StatusCode::UNPROCESSABLE_ENTITY, &rejected),
        Err(_) => json_of(StatusCode::INTERNAL_SERVER_ERROR, &json!({"error": "the reload ended without an answer"})),
    }
}

fn json_of(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{value:#}\n")).into_response()
}

impl<D: Domain> fmt::Debug for Endpoint<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("token", &self.token).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn only_the_bearer_of_the_token_is_admitted() {
        let token = Token::new("s3cret");
        assert!(token.admits(&headers("Bearer s3cret")) && token.admits(&headers("bearer s3cret")));
        for other in ["Bearer s3cre", "Bearer s3cret1", "Basic s3cret", "s3cret", "Bearer", "Bearer "] {
            assert!(!token.admits(&headers(other)), "{other}");
        }
        assert!(!token.admits(&HeaderMap::new()));
        assert_eq!(format!("{token:?}"), "Token");
    }
}
