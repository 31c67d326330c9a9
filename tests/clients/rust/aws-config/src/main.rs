//! The AWS SDK for Rust with its default credentials chain.

use aws_config::BehaviorVersion;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::Builder;
use aws_sdk_sts::error::DisplayErrorContext;

fn main() {
    driver::run(async {
        let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
        let endpoint = driver::variable("STS_ENDPOINT_URL");
        let sts = Client::from_conf(Builder::from(&config).endpoint_url(endpoint).build());
        driver::answer(async || {
            let answer = sts.get_caller_identity().send().await;
            answer
                .map(drop)
                .map_err(|error| DisplayErrorContext(error).to_string())
        })
        .await;
    });
}
