package blog.comments;

import jakarta.persistence.LockModeType;
import java.util.Optional;
import org.springframework.data.jpa.repository.JpaRepository;
import org.springframework.data.jpa.repository.Lock;
import org.springframework.data.jpa.repository.Query;

interface KnownPostRepository extends JpaRepository<KnownPost, Long> {

    /** Holds the post until the transaction ends, so that the news of its deletion comes before a comment or after it. */
    @Lock(LockModeType.PESSIMISTIC_READ)
    @Query("select p from KnownPost p where p.postId = ?1")
    Optional<KnownPost> findToComment(long postId);
}
