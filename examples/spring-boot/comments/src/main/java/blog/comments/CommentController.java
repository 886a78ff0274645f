package blog.comments;

import jakarta.validation.Valid;
import jakarta.validation.constraints.NotBlank;
import jakarta.validation.constraints.Size;
import java.util.List;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

@RestController
@RequestMapping("/posts/{postId}/comments")
class CommentController {

    record NewComment(@NotBlank @Size(max = 255) String author, @NotBlank @Size(max = 10_000) String body) {
    }

    record View(long id, long postId, String author, String body) {

        static View of(Comment comment) {
            return new View(comment.id(), comment.postId(), comment.author(), comment.body());
        }
    }

    private final Comments comments;

    CommentController(Comments comments) {
        this.comments = comments;
    }

    @PostMapping
    @ResponseStatus(HttpStatus.CREATED)
    View add(@PathVariable("postId") long postId, @Valid @RequestBody NewComment comment) {
        return View.of(comments.add(postId, comment.author(), comment.body()));
    }

    @GetMapping
    List<View> on(@PathVariable("postId") long postId) {
        return comments.on(postId).stream().map(View::of).toList();
    }
}
