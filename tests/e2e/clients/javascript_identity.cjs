// Who am I? Asked of STS with the credentials of the provider that the first argument names.
const { STSClient, GetCallerIdentityCommand } = require("@aws-sdk/client-sts");
const { fromContainerMetadata, fromHttp } = require("@aws-sdk/credential-providers");

const providers = {
  default: () => undefined,
  fromContainerMetadata: () => fromContainerMetadata(),
  fromHttp: () => fromHttp({}),
};

async function main(provider) {
  const sts = new STSClient({ credentials: providers[provider]() });
  console.log((await sts.send(new GetCallerIdentityCommand({}))).Arn);
}

main(process.argv[2]).catch((error) => {
  // What people see in their logs: the error as it prints itself.
  console.error(error);
  process.exit(1);
});
