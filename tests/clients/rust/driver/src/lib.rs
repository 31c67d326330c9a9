//! The other end of the matrix's protocol: a line on stdin asks, one line of JSON on stdout answers.

use std::io::BufRead;

use serde_json::json;

/// Runs a client's `main`, which sets up and then calls [`answer`]: most of them want a runtime for both.
pub fn run(main: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(main);
}

/// Makes the call for each `identity`, until stdin ends.
pub async fn answer(mut identity: impl AsyncFnMut() -> Result<(), String>) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let answer = match line.as_str() {
            "identity" => match identity().await {
                Ok(()) => json!({"ok": true}),
                Err(error) => json!({"error": error}),
            },
            other => json!({"error": format!("unknown request: {other}")}),
        };
        println!("{answer}");
    }
}

/// What the framework names in the environment.
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}
