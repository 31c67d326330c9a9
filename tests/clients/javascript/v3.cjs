// Who am I? Asked of STS with the default credentials chain of the AWS SDK for JavaScript v3, in any of its versions.
const { run } = require("./driver.cjs");
const { STSClient, GetCallerIdentityCommand } = require(process.env.MATRIX_HOME);

let sts;

run({
  identity: () => {
    // Not before it is asked: some versions read the files when a client is made.
    sts ??= new STSClient({ endpoint: process.env.STS_ENDPOINT_URL });
    return sts.send(new GetCallerIdentityCommand({}));
  },
});
