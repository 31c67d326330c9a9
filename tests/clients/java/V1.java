import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.securitytoken.AWSSecurityTokenService;
import com.amazonaws.services.securitytoken.AWSSecurityTokenServiceClientBuilder;
import com.amazonaws.services.securitytoken.model.GetCallerIdentityRequest;
import java.io.IOException;

/** The AWS SDK for Java 1.x with its default credentials chain. */
final class V1 {
    public static void main(String[] arguments) throws IOException {
        Driver.run(() -> {
            EndpointConfiguration endpoint =
                    new EndpointConfiguration(System.getenv("STS_ENDPOINT_URL"), System.getenv("AWS_REGION"));
            AWSSecurityTokenService sts =
                    AWSSecurityTokenServiceClientBuilder.standard().withEndpointConfiguration(endpoint).build();
            return () -> sts.getCallerIdentity(new GetCallerIdentityRequest());
        });
    }
}
