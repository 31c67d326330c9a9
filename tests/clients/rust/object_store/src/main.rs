//! The `object_store` crate, configured from the environment, which is all the chain that it has.

use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;

fn main() {
    driver::run(async {
        let mut builder = AmazonS3Builder::from_env()
            .with_endpoint(driver::variable("S3_ENDPOINT_URL"))
            .with_allow_http(true)
            .with_bucket_name("bucket");
        // It knows IMDS elsewhere, but by a name of its own: AWS_METADATA_ENDPOINT.
        if let Ok(endpoint) = std::env::var("AWS_EC2_METADATA_SERVICE_ENDPOINT") {
            builder = builder.with_metadata_endpoint(endpoint);
        }
        let store = builder.build().expect("a store");
        driver::answer(async || {
            let answer = store.list_with_delimiter(None).await;
            answer.map(drop).map_err(|error| error.to_string())
        })
        .await;
    });
}
