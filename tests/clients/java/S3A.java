import java.io.IOException;
import java.net.URI;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/** Hadoop's S3A file system with its default list of credentials providers. */
final class S3A {
    public static void main(String[] arguments) throws IOException {
        Driver.run(() -> {
            Configuration configuration = new Configuration();
            configuration.set("fs.s3a.endpoint", System.getenv("S3_ENDPOINT_URL"));
            configuration.set("fs.s3a.endpoint.region", System.getenv("AWS_REGION"));
            configuration.set("fs.s3a.path.style.access", "true");
            configuration.set("fs.s3a.connection.ssl.enabled", "false");
            FileSystem bucket = FileSystem.get(URI.create("s3a://bucket/"), configuration);
            return () -> bucket.listStatus(new Path("/"));
        });
    }
}
