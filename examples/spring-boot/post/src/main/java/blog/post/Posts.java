package blog.post;

import blog.outbox.Outbox;
import blog.post.PostEvents.PostDeleted;
import blog.post.PostEvents.PostEdited;
import blog.post.PostEvents.PostPublished;
import org.springframework.stereotype.Service;
import org.springframework.transaction.annotation.Transactional;

/** People's changes. Each one and the event that tells of it are committed together, or neither is. */
@Service
class Posts {

    private final PostRepository posts;
    private final Outbox outbox;

    Posts(PostRepository posts, Outbox outbox) {
        this.posts = posts;
        this.outbox = outbox;
    }

    @Transactional
    Post publish(String author, String title) {
        Post post = posts.save(new Post(author, title));
        outbox.add("post", post.id(), new PostPublished(post.id(), author, title));
        return post;
    }

    @Transactional
    Post edit(long id, String title) {
        Post post = posts.findToChange(id).orElseThrow(UnknownPost::new);
        post.edit(title);
        outbox.add("post", id, new PostEdited(id, post.author(), title));
        return post;
    }

    @Transactional
    void delete(long id) {
        posts.delete(posts.findToChange(id).orElseThrow(UnknownPost::new));
        outbox.add("post", id, new PostDeleted(id));
    }

    @Transactional(readOnly = true)
    Post find(long id) {
        return posts.findById(id).orElseThrow(UnknownPost::new);
    }
}
