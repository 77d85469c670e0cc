// kith/collection/commit_queue.hpp — one writer at a time, and one sync for all who wait.
//
// Each caller queues its request and asks for the writer role. Whoever gets it serves the whole queue, so that
// callers who arrive while a sync is under way share the next one (group commit).
//
// Thread safety: any number of threads may call commit and exclusive.
#pragma once

#include "kith/core/error.hpp"

#include <exception>
#include <mutex>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

template <class Request>
class CommitQueue {
public:
    /// Has `request` served, by this thread or another: `serve(std::vector<Request*>&)` runs in the writer role,
    /// with every request that waits. A serve that raises fails all of its requests.
    /// Requires: Request has a member `std::exception_ptr error`, which serve sets for a request that fails alone.
    /// Throws: what the request raised.
    template <class Serve>
    void commit(Request& request, Serve&& serve) {
        Waiting waiting{&request};
        {
            const std::lock_guard lock(queue_mutex_);
            queue_.push_back(&waiting);
        }
        const std::lock_guard role(writer_role_);
        if (!waiting.served) serve_all(serve);
        if (request.error != nullptr) std::rethrow_exception(request.error);
    }

    /// Runs `act` in the writer role: no request is served meanwhile.
    template <class Act>
    decltype(auto) exclusive(Act&& act) {
        const std::lock_guard role(writer_role_);
        return act();
    }

private:
    struct Waiting {
        Request* request;
        bool served = false;  // guarded by the writer role
    };

    template <class Serve>
    void serve_all(Serve&& serve) {
        std::vector<Waiting*> group;
        {
            const std::lock_guard lock(queue_mutex_);
            group.swap(queue_);
        }
        const std::exception_ptr failed = attempt([&] {
            std::vector<Request*> requests;
            for (Waiting* waiting : group) requests.push_back(waiting->request);
            serve(requests);
        });
        for (Waiting* waiting : group) {
            if (failed != nullptr && waiting->request->error == nullptr) waiting->request->error = failed;
            waiting->served = true;
        }
    }

    std::mutex writer_role_;
    std::mutex queue_mutex_;
    std::vector<Waiting*> queue_;  // guarded by queue_mutex_
};

}  // namespace kith::inline v0::detail
