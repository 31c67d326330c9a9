//! The `aws-creds` crate with its default chain, and `rust-s3`, which signs with it and refreshes it.

use awscreds::Credentials;
use s3::{Bucket, Region};

fn main() {
    driver::run(async {
        let mut bucket = None;
        driver::answer(async || list(&mut bucket).map_err(|error| error.to_string())).await;
    });
}

/// Lists a bucket that is made once there are credentials: without them there can be none.
fn list(bucket: &mut Option<Box<Bucket>>) -> Result<(), Box<dyn std::error::Error>> {
    let bucket = match bucket {
        Some(bucket) => bucket,
        None => {
            let region = Region::Custom {
                region: driver::variable("AWS_REGION"),
                endpoint: driver::variable("S3_ENDPOINT_URL"),
            };
            let credentials = Credentials::default()?;
            bucket.insert(Bucket::new("bucket", region, credentials)?.with_path_style())
        }
    };
    bucket.list(String::new(), None)?;
    Ok(())
}
