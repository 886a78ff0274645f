package blog.post;

import jakarta.persistence.LockModeType;
import java.util.Optional;
import org.springframework.data.jpa.repository.JpaRepository;
import org.springframework.data.jpa.repository.Lock;
import org.springframework.data.jpa.repository.Modifying;
import org.springframework.data.jpa.repository.Query;

interface PostRepository extends JpaRepository<Post, Long> {

    /** Holds the post until the transaction ends: two changes of one post, and their events, come one after the other. */
    @Lock(LockModeType.PESSIMISTIC_WRITE)
    @Query("select p from Post p where p.id = ?1")
    Optional<Post> findToChange(long id);

    @Modifying
    @Query(value = "update posts set comment_count = comment_count + 1 where id = ?1", nativeQuery = true)
    int countComment(long id);
}
