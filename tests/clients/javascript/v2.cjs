// Who am I? Asked of STS with the default credentials chain of the AWS SDK for JavaScript v2, in any of its versions.
const { run } = require("./driver.cjs");
const AWS = require(process.env.MATRIX_HOME);

// The tests' sessions are shorter than its 15 s, within which current versions never call back where credentials come
// from instance metadata; a sidecar gives those out with minutes left.
AWS.Credentials.prototype.expiryWindow = 2;

let sts;

function newClient() {
  const options = { endpoint: process.env.STS_ENDPOINT_URL, region: process.env.AWS_REGION };
  const filename = process.env.AWS_SHARED_CREDENTIALS_FILE;
  if (filename && !AWS.util.sharedCredentialsFileEnv) {
    // 2.4.7 does not know that variable: the file is ~/.aws/credentials, or is named here.
    options.credentials = new AWS.SharedIniFileCredentials({ filename });
  }
  return new AWS.STS(options);
}

run({
  identity: () =>
    new Promise((resolve, reject) => {
      // Not before it is asked: the file is read when a client is made.
      sts ??= newClient();
      sts.getCallerIdentity((error) => (error ? reject(error) : resolve()));
    }),
});
