# Writes a post and its event with ActiveRecord.
require "active_record"
require "securerandom"

# snippet: begin
class Post < ActiveRecord::Base
end

class OutboxEvent < ActiveRecord::Base
  self.table_name = "outbox"
  self.inheritance_column = nil # "type" is a column like any other here

  before_create { self.id ||= SecureRandom.uuid }
end

def publish(title)
  Post.transaction do
    post = Post.create!(title: title)
    OutboxEvent.create!(aggregatetype: "post", aggregateid: post.id.to_s, type: "PostPublished",
                        payload: { id: post.id, title: title })
  end
end
# snippet: end

ActiveRecord::Base.establish_connection(ENV.fetch("DATABASE_URL"))
publish(ARGV.fetch(0))
