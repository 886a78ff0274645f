package blog.post;

import blog.inbox.Inbox;
import blog.inbox.ReceivedEvent;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.stereotype.Component;
import tools.jackson.databind.json.JsonMapper;

/** Counts the comments that Comments tells of. Those on a post that is gone change nothing. */
@Component
class CommentListener {

    /** The part of the event that matters here. */
    record Comment(long postId) {
    }

    private final Inbox inbox;
    private final PostRepository posts;
    private final JsonMapper json;

    CommentListener(Inbox inbox, PostRepository posts, JsonMapper json) {
        this.inbox = inbox;
        this.posts = posts;
        this.json = json;
    }

    @KafkaListener(topics = "outbox.event.comment")
    void on(ConsumerRecord<String, String> record) {
        ReceivedEvent event = ReceivedEvent.of(record);
        // A type that is new to this service is none of its business.
        if (event.type().equals("CommentAdded")) {
            Comment comment = json.readValue(event.payload(), Comment.class);
            inbox.once(event, () -> posts.countComment(comment.postId()));
        }
    }
}
