package blog.comments;

import blog.inbox.Inbox;
import blog.inbox.ReceivedEvent;
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
        Post post = json.readValue(event.payload(), Post.class);
        inbox.once(event, () -> apply(event.type(), post));
    }

    private void apply(String type, Post post) {
        switch (type) {
            case "PostPublished" -> posts.save(new KnownPost(post.id(), post.title()));
            case "PostEdited" -> known(post).edit(post.title());
            case "PostDeleted" -> known(post).delete();
            default -> {
                // A type that is new to this service is none of its business.
            }
        }
    }

    private KnownPost known(Post post) {
        return posts.findById(post.id())
                .orElseThrow(() -> new IllegalStateException("post " + post.id() + " was never published"));
    }
}
