package blog.post;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.GeneratedValue;
import jakarta.persistence.GenerationType;
import jakarta.persistence.Id;
import jakarta.persistence.Table;

@Entity
@Table(name = "posts")
class Post {

    @Id
    @GeneratedValue(strategy = GenerationType.IDENTITY)
    private Long id;

    @Column(nullable = false)
    private String author;

    @Column(nullable = false)
    private String title;

    /** Counted in the database, one statement a comment: an edit must not write back an old count. */
    @Column(nullable = false, insertable = false, updatable = false)
    private long commentCount;

    protected Post() {
        // for JPA
    }

    Post(String author, String title) {
        this.author = author;
        this.title = title;
    }

    void edit(String title) {
        this.title = title;
    }

    Long id() {
        return id;
    }

    String author() {
        return author;
    }

    String title() {
        return title;
    }

    long commentCount() {
        return commentCount;
    }
}
