import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;

/** The other end of the matrix's protocol: a line on stdin asks, one line of JSON on stdout answers. */
final class Driver {
    /** Makes the client, and what it is then asked again and again. */
    interface Client {
        Call make() throws Exception;
    }

    interface Call {
        void run() throws Exception;
    }

    private final Client client;
    private Call call;

    private Driver(Client client) {
        this.client = client;
    }

    /** Calls for each `identity`, until stdin ends. */
    static void run(Client client) throws IOException {
        Driver driver = new Driver(client);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println(line.equals("identity") ? driver.identity() : failure("unknown request: " + line));
        }
    }

    private String identity() {
        try {
            // Not before it is asked: some read files once, when they are made.
            if (call == null) {
                call = client.make();
            }
            call.run();
            return "{\"ok\":true}";
        } catch (Throwable thrown) {
            return failure(printed(thrown));
        }
    }

    /** What a stack trace says, without its frames. */
    private static String printed(Throwable thrown) {
        StringBuilder text = new StringBuilder(thrown.toString());
        for (Throwable suppressed : thrown.getSuppressed()) {
            text.append("\nSuppressed: ").append(suppressed);
        }
        for (Throwable cause = thrown.getCause(); cause != null; cause = cause.getCause()) {
            text.append("\nCaused by: ").append(cause);
        }
        return text.toString();
    }

    private static String failure(String text) {
        StringBuilder json = new StringBuilder("{\"error\":\"");
        for (char character : text.toCharArray()) {
            if (character < ' ' || character == '"' || character == '\\') {
                json.append(String.format("\\u%04x", (int) character));
            } else {
                json.append(character);
            }
        }
        return json.append("\"}").toString();
    }
}
