package blog.post;

import org.springframework.http.HttpStatus;
import org.springframework.web.server.ResponseStatusException;

class UnknownPost extends ResponseStatusException {

    UnknownPost() {
        super(HttpStatus.NOT_FOUND, "there is no such post");
    }
}
