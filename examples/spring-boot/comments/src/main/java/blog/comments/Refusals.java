package blog.comments;

import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.ResponseStatus;

/** Why a comment is not taken. */
final class Refusals {

    @ResponseStatus(code = HttpStatus.NOT_FOUND, reason = "there is no such post, or it has not been heard of yet")
    static class UnknownPost extends RuntimeException {
    }

    @ResponseStatus(code = HttpStatus.GONE, reason = "the post was deleted")
    static class DeletedPost extends RuntimeException {
    }

    private Refusals() {
    }
}
