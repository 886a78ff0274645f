package blog.comments;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.GeneratedValue;
import jakarta.persistence.GenerationType;
import jakarta.persistence.Id;
import jakarta.persistence.Table;

@Entity
@Table(name = "comments")
class Comment {

    @Id
    @GeneratedValue(strategy = GenerationType.IDENTITY)
    private Long id;

    @Column(nullable = false)
    private long postId;

    @Column(nullable = false)
    private String author;

    @Column(nullable = false, columnDefinition = "text")
    private String body;

    protected Comment() {
        // for JPA
    }

    Comment(long postId, String author, String body) {
        this.postId = postId;
        this.author = author;
        this.body = body;
    }

    Long id() {
        return id;
    }

    long postId() {
        return postId;
    }

    String author() {
        return author;
    }

    String body() {
        return body;
    }
}
