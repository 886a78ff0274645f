package blog.post;

import static org.assertj.core.api.Assertions.assertThat;

import blog.PostApplication;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import org.junit.jupiter.api.Test;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;

/** What clients are told when they don't get what they want. */
@SpringBootTest(classes = PostApplication.class, webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT,
        properties = "spring.kafka.listener.auto-startup=false")
class AnswersIT {

    @LocalServerPort
    private int port;

    @Test
    void aRefusalSaysWhy() throws Exception {
        HttpResponse<String> answer = ask(HttpRequest.newBuilder(URI.create("http://localhost:" + port + "/posts/0")));
        assertThat(answer.statusCode()).isEqualTo(404);
        assertThat(answer.body()).contains("there is no such post");
    }

    /** PostgreSQL refuses the character 0, and its message has the statement. */
    @Test
    void aFaultSaysNothingOfTheDatabase() throws Exception {
        HttpResponse<String> answer = ask(HttpRequest.newBuilder(URI.create("http://localhost:" + port + "/posts"))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString("{\"author\": \"Ada\", \"title\": \"\\u0000\"}")));
        assertThat(answer.statusCode()).isEqualTo(500);
        assertThat(answer.body()).doesNotContainIgnoringCase("insert").doesNotContain("comment_count");
    }

    private static HttpResponse<String> ask(HttpRequest.Builder request) throws Exception {
        return HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString());
    }
}
