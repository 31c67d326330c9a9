//! Rusoto with its default credentials chain.

use hyper::client::HttpConnector;
use rusoto_core::{HttpClient, Region};
use rusoto_credential::DefaultCredentialsProvider;
use rusoto_sts::{GetCallerIdentityRequest, Sts, StsClient};

fn main() {
    driver::run(async {
        let region = Region::Custom {
            name: driver::variable("AWS_REGION"),
            endpoint: driver::variable("STS_ENDPOINT_URL"),
        };
        // Its own connector would take https only.
        let http = HttpClient::from_connector(HttpConnector::new());
        let credentials = DefaultCredentialsProvider::new().expect("a provider");
        let sts = StsClient::new_with(http, credentials, region);
        driver::answer(async || {
            let answer = sts.get_caller_identity(GetCallerIdentityRequest {}).await;
            answer.map(drop).map_err(|error| error.to_string())
        })
        .await;
    });
}
