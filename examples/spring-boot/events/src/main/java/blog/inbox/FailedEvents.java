package blog.inbox;

import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.listener.DeadLetterPublishingRecoverer;
import org.springframework.kafka.listener.DefaultErrorHandler;
import org.springframework.kafka.support.ExponentialBackOffWithMaxRetries;
import tools.jackson.core.JacksonException;

/**
 * What becomes of an event that can't be applied: it is tried again, less and less often, for about two
 * minutes, while later events of its partition wait. Then it goes to the topic's dead letters,
 * {@code <topic>-dlt}, for a person to look at. What no retry can mend goes there at once.
 */
@Configuration
class FailedEvents {

    @Bean
    DefaultErrorHandler retriesThenDeadLetters(KafkaTemplate<?, ?> template) {
        DefaultErrorHandler handler = new DefaultErrorHandler(new DeadLetterPublishingRecoverer(template), backOff());
        handler.addNotRetryableExceptions(JacksonException.class, IllegalArgumentException.class);
        return handler;
    }

    private static ExponentialBackOffWithMaxRetries backOff() {
        ExponentialBackOffWithMaxRetries backOff = new ExponentialBackOffWithMaxRetries(15);
        backOff.setInitialInterval(200);
        backOff.setMultiplier(2);
        backOff.setMaxInterval(10_000);
        return backOff;
    }
}
