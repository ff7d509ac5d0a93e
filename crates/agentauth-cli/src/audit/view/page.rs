//! The page: files that are part of the program.

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::CONTENT_TYPE;

macro_rules! asset {
    ($name:literal) => {
        include_str!(concat!("assets/", $name))
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

const FILES: [(&str, &str, &str); 12] = [
    ("/", HTML, asset!("page.html")),
    ("/icon.svg", "image/svg+xml", asset!("icon.svg")),
    ("/page.css", CSS, asset!("page.css")),
    ("/page.js", SCRIPT, asset!("page.js")),
    ("/dom.js", SCRIPT, asset!("dom.js")),
    ("/words.js", SCRIPT, asset!("words.js")),
    ("/filters.js", SCRIPT, asset!("filters.js")),
    ("/timeline.js", SCRIPT, asset!("timeline.js")),
    ("/list.js", SCRIPT, asset!("list.js")),
    ("/graph.js", SCRIPT, asset!("graph.js")),
    ("/decision.js", SCRIPT, asset!("decision.js")),
    ("/integrity.js", SCRIPT, asset!("integrity.js")),
];

/// Serves the files. They say nothing of any record, and need no token.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    FILES.into_iter().fold(router, |router, (path, kind, content)| {
        let answer = move || std::future::ready(([(CONTENT_TYPE, kind)], content).into_response());
        router.route(path, get(answer))
    })
}
