package blog.comments;

import blog.outbox.Outbox;
import java.util.List;
import org.springframework.stereotype.Service;
import org.springframework.transaction.annotation.Transactional;

/** People's comments. Each one and the event that tells of it are committed together, or neither is. */
@Service
class Comments {

    private final CommentRepository comments;
    private final KnownPostRepository posts;
    private final Outbox outbox;

    Comments(CommentRepository comments, KnownPostRepository posts, Outbox outbox) {
        this.comments = comments;
        this.posts = posts;
        this.outbox = outbox;
    }

    @Transactional
    Comment add(long postId, String author, String body) {
        KnownPost post = posts.findToComment(postId).orElseThrow(Refusals.UnknownPost::new);
        if (post.deleted()) {
            throw new Refusals.DeletedPost();
        }
        Comment comment = comments.save(new Comment(postId, author, body));
        outbox.add("comment", comment.id(), new CommentAdded(comment.id(), postId, author, body));
        return comment;
    }

    @Transactional(readOnly = true)
    List<Comment> on(long postId) {
        return comments.findByPostIdOrderById(postId);
    }
}
