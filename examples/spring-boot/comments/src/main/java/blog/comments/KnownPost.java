package blog.comments;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.PostPersist;
import jakarta.persistence.Table;
import jakarta.persistence.Transient;
import org.springframework.data.domain.Persistable;

/** What this service knows of a post, from the events of Post and from nowhere else. */
@Entity
@Table(name = "known_posts")
class KnownPost implements Persistable<Long> {

    @Id
    private Long postId;

    @Column(nullable = false)
    private String title;

    @Column(nullable = false)
    private boolean deleted;

    /**
     * The id is another service's, so nothing else tells a new post from one that was read. Always true would
     * be wrong: Spring Data deletes nothing that is new, without a word.
     */
    @Transient
    private boolean isNew;

    protected KnownPost() {
        // for JPA, which reads what is not new
    }

    KnownPost(long postId, String title) {
        this.postId = postId;
        this.title = title;
        this.isNew = true;
    }

    @Override
    public Long getId() {
        return postId;
    }

    @Override
    public boolean isNew() {
        return isNew;
    }

    @PostPersist
    void saved() {
        this.isNew = false;
    }

    void edit(String title) {
        this.title = title;
    }

    void delete() {
        this.deleted = true;
    }

    boolean deleted() {
        return deleted;
    }
}
