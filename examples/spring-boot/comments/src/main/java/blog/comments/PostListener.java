package blog.comments;

import blog.inbox.ImpossibleEventException;
import blog.inbox.Inbox;
import blog.inbox.ReceivedEvent;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.stereotype.Component;
import tools.jackson.databind.json.JsonMapper;

/** Follows the posts that Post tells of. */
@Component
class PostListener {

    /** The part of the event that matters here; a deletion has no title. */
    record Post(long id, String title) {
    }

    private final Inbox inbox;
    private final KnownPostRepository posts;
    private final JsonMapper json;

    PostListener(Inbox inbox, KnownPostRepository posts, JsonMapper json) {
        this.inbox = inbox;
        this.posts = posts;
        this.json = json;
    }

    @KafkaListener(topics = "outbox.event.post")
    void on(ConsumerRecord<String, String> record) {
        ReceivedEvent event = ReceivedEvent.of(record);
        switch (event.type()) {
            case "PostPublished" -> apply(event, post -> posts.save(new KnownPost(post.id(), post.title())));
            case "PostEdited" -> apply(event, post -> known(post).edit(post.title()));
            case "PostDeleted" -> apply(event, post -> known(post).delete());
            default -> {
                // A type that is new to this service is none of its business.
            }
        }
    }

    private void apply(ReceivedEvent event, Consumer<Post> change) {
        Post post = json.readValue(event.payload(), Post.class);
        inbox.once(event, () -> change.accept(post));
    }

    private KnownPost known(Post post) {
        return posts.findById(post.id())
                .orElseThrow(() -> new ImpossibleEventException("a post that was never published"));
    }
}
