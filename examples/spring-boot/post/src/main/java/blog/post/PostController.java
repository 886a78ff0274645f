package blog.post;

import jakarta.validation.Valid;
import jakarta.validation.constraints.NotBlank;
import jakarta.validation.constraints.Size;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

@RestController
@RequestMapping("/posts")
class PostController {

    record NewPost(@NotBlank @Size(max = 255) String author, @NotBlank @Size(max = 255) String title) {
    }

    record Edit(@NotBlank @Size(max = 255) String title) {
    }

    record View(long id, String author, String title, long comments) {

        static View of(Post post) {
            return new View(post.id(), post.author(), post.title(), post.commentCount());
        }
    }

    private final Posts posts;

    PostController(Posts posts) {
        this.posts = posts;
    }

    @PostMapping
    @ResponseStatus(HttpStatus.CREATED)
    View publish(@Valid @RequestBody NewPost post) {
        return View.of(posts.publish(post.author(), post.title()));
    }

    @GetMapping("/{id}")
    View get(@PathVariable("id") long id) {
        return View.of(posts.find(id));
    }

    @PutMapping("/{id}")
    View edit(@PathVariable("id") long id, @Valid @RequestBody Edit edit) {
        return View.of(posts.edit(id, edit.title()));
    }

    @DeleteMapping("/{id}")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void delete(@PathVariable("id") long id) {
        posts.delete(id);
    }
}
