import java.io.IOException;
import java.net.URI;
import software.amazon.awssdk.services.sts.StsClient;

/** The AWS SDK for Java 2.x with its default credentials chain. */
final class V2 {
    public static void main(String[] arguments) throws IOException {
        Driver.run(() -> {
            URI endpoint = URI.create(System.getenv("STS_ENDPOINT_URL"));
            StsClient sts = StsClient.builder().endpointOverride(endpoint).build();
            return sts::getCallerIdentity;
        });
    }
}
