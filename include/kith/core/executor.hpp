// kith/core/executor.hpp — threads that wait to help whoever has work in pieces.
//
// To start a thread takes as long as a search. So threads are kept, and started when they are first wanted. An executor
// lets only so many threads work at once, callers among them: as many as there are cores. Who comes when all are at
// work does its pieces alone, and so does who comes from within a piece; nobody ever waits for a thread to become free.
//
// A helper that wakes up late finds the work done, and the caller does not wait for it. A child that was forked has none
// of its parent's threads: it starts its own. At the end of the process the threads of shared() are joined; what shares
// work after that does it alone.
//
// Thread safety: share() may be called by any number of threads, also from within a piece.
#pragma once

#include "kith/core/error.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace kith::inline v0 {

class Executor {
public:
    /// Lets `threads` threads work at once.
    explicit Executor(unsigned threads) : most_(std::max(threads, 1U)), crew_(std::make_unique<Crew>().release()) {}
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;

    /// Requires: nobody shares work any more.
    ~Executor() {
        stop();
        std::unique_ptr<Crew> crew(crew_.load());
        // To destroy what the parent's threads wait on would wait for them.
        if (!is_mine(*crew)) static_cast<void>(crew.release());
    }

    /// That of the process, for as many threads as the machine runs at once.
    [[nodiscard]] static Executor& shared() {
        struct End {
            Executor& executor;
            ~End() { executor.stop(); }
        };
        // Never destroyed: what is destroyed after it may still share work.
        static Executor& executor = *std::make_unique<Executor>(hardware_threads()).release();
        static const End end{executor};
        return executor;
    }

    /// How many threads the machine runs at once.
    [[nodiscard]] static unsigned hardware_threads() noexcept {
        return std::max(std::thread::hardware_concurrency(), 1U);
    }

    /// Calls work(piece, thread) once for each piece below `pieces`; thread 0 is the caller, the others are below
    /// `threads`. Fewer than that work where others are at work.
    /// Throws: what `work` throws first, after every thread has stopped; some pieces are then not done. Errc::forked in
    /// a child that `work` forked while helpers did their pieces in the parent.
    template <class Work>
    void share(unsigned threads, std::size_t pieces, const Work& work) {
        threads = static_cast<unsigned>(std::min<std::size_t>(threads, pieces));
        if (threads <= 1) {
            for (std::size_t piece = 0; piece < pieces; ++piece) work(piece, 0U);
            return;
        }
        std::atomic<std::size_t> next = 0;
        std::exception_ptr failure;
        std::mutex failing;
        const auto run = [&](unsigned thread, const auto& goes_on) noexcept {
            const std::exception_ptr failed = attempt([&] {
                for (std::size_t piece = next.fetch_add(1); piece < pieces; piece = next.fetch_add(1)) {
                    work(piece, thread);
                    if (!goes_on()) return;
                }
            });
            if (!failed) return;
            next.store(pieces);  // nobody begins another
            const std::lock_guard lock(failing);
            if (!failure) failure = failed;
        };
        Crew& crew = present_crew();
        const auto help = [&](unsigned thread) noexcept {
            run(thread, [&] { return !crew.stopping.load(std::memory_order_relaxed); });
        };
        using Help = decltype(help);
        Job job{[](const void* helping, unsigned thread) noexcept { (*static_cast<const Help*>(helping))(thread); },
                &help, threads - 1};
        begin(crew, job);
        run(0, [&] {
            if (job.open > 0 && crew.at_work.load(std::memory_order_relaxed) < most_) recruit(crew, job);
            return true;
        });
        end(crew, job);
#ifdef __cpp_exceptions
        if (failure) std::rethrow_exception(failure);
#endif
    }

    /// Calls act(), and counts the calling thread among those at work meanwhile: helpers are then called for fewer cores.
    /// Throws: what act() throws.
    template <class Act>
    void attend(const Act& act) {
        Crew& crew = present_crew();
        const bool counts = !std::exchange(at_work_, true);
        if (counts) enter(crew);
        const std::exception_ptr failure = attempt(act);
        if (counts) {
            at_work_ = false;
            if (is_mine(crew)) leave(crew);
        }
#ifdef __cpp_exceptions
        if (failure) std::rethrow_exception(failure);
#endif
    }

private:
    /// One call of share(), in its caller's frame. All but the first three is guarded by the crew's mutex.
    struct Job {
        void (*run)(const void* helping, unsigned thread) noexcept;
        const void* helping;
        unsigned open;                   // helpers it could still use; the caller's
        unsigned called = 0;             // helpers that are to come, and count as being at work
        unsigned came = 0;               // helpers so far: the last one's number
        unsigned working = 0;            // helpers in it
        Job* next = nullptr;             // in the crew's list, while helpers are called
        bool counts = false;             // whether the caller was not at work already
        std::condition_variable left{};  // the last helper left
    };

    struct Crew {
        const pid_t owner = ::getpid();
        std::mutex mutex;
        std::condition_variable wake;
        Job* first = nullptr;               // the jobs that called helpers who did not come yet
        unsigned called = 0;                // by all of them
        unsigned idle = 0;                  // threads in no job
        std::atomic<unsigned> at_work = 0;  // threads, callers and helpers who were called; changed under the mutex
        std::atomic<bool> stopping = false;
        std::vector<std::thread> threads;
    };

    [[nodiscard]] static bool is_mine(const Crew& crew) noexcept { return crew.owner == ::getpid(); }

    /// The crew of this process. In a forked child that is a new one; the parent's is left as it is, for its mutex may
    /// be held by a thread that is not there.
    [[nodiscard]] Crew& present_crew() {
        Crew* present = crew_.load(std::memory_order_acquire);
        if (is_mine(*present)) return *present;
        auto made = std::make_unique<Crew>();
        return crew_.compare_exchange_strong(present, made.get()) ? *made.release() : *present;
    }

    static void enter(Crew& crew) noexcept {
        const std::lock_guard lock(crew.mutex);
        ++crew.at_work;
    }

    static void leave(Crew& crew) noexcept {
        const std::lock_guard lock(crew.mutex);
        --crew.at_work;
    }

    void begin(Crew& crew, Job& job) noexcept {
        job.counts = !std::exchange(at_work_, true);
        if (job.counts) enter(crew);
        recruit(crew, job);
    }

    /// Calls as many helpers as the job can use and may work beside those who do.
    void recruit(Crew& crew, Job& job) noexcept {
        if (crew.at_work.load(std::memory_order_relaxed) >= most_ || !is_mine(crew)) return;
        unsigned more = 0;
        {
            const std::lock_guard lock(crew.mutex);
            if (crew.stopping || crew.at_work >= most_) return;
            more = std::min(job.open, most_ - crew.at_work);
            while (crew.called + more > crew.idle && crew.threads.size() + 1 < most_ && start_thread(crew)) {
            }
            more = std::min(more, crew.idle - std::min(crew.idle, crew.called));
            if (more == 0) return;
            if (job.called == 0) job.next = std::exchange(crew.first, &job);
            job.open -= more;
            job.called += more;
            crew.called += more;
            crew.at_work += more;
        }
        for (unsigned i = 0; i < more; ++i) crew.wake.notify_one();
    }

    /// Waits for the helpers who came, and lets the others go.
    static void end(Crew& crew, Job& job) {
        if (job.counts) at_work_ = false;
        if (!is_mine(crew)) {
            if (job.came > 0) raise(Errc::forked, "the process was forked within work that its parent's threads share");
            return;
        }
        std::unique_lock lock(crew.mutex);
        if (job.called > 0) {
            Job** at = &crew.first;
            while (*at != &job) at = &(*at)->next;
            *at = job.next;
        }
        crew.called -= job.called;
        crew.at_work -= job.called + (job.counts ? 1 : 0);
        job.left.wait(lock, [&] { return job.working == 0; });
    }

    /// False where none can be had. Requires: the mutex is held.
    static bool start_thread(Crew& crew) noexcept {
        const bool started = attempt([&] { crew.threads.emplace_back([&crew] { help(crew); }); }) == nullptr;
        if (started) ++crew.idle;
        return started;
    }

    /// What a thread of the crew does.
    static void help(Crew& crew) noexcept {
        at_work_ = true;  // whenever it shares work of its own
        std::unique_lock lock(crew.mutex);
        for (;;) {
            crew.wake.wait(lock, [&] { return crew.stopping || crew.first != nullptr; });
            if (crew.stopping) return;
            Job& job = *crew.first;
            if (--job.called == 0) crew.first = job.next;
            --crew.called;
            --crew.idle;
            ++job.working;
            const unsigned number = ++job.came;
            lock.unlock();
            job.run(job.helping, number);
            lock.lock();
            ++crew.idle;
            --crew.at_work;
            if (--job.working == 0) job.left.notify_one();  // the caller may destroy the job once the lock is free
        }
    }

    /// Joins the threads, when they have done the pieces they are at.
    void stop() noexcept {
        Crew& crew = *crew_.load();
        if (!is_mine(crew)) return;
        std::vector<std::thread> threads;
        {
            const std::lock_guard lock(crew.mutex);
            crew.stopping = true;
            threads.swap(crew.threads);
        }
        crew.wake.notify_all();
        for (std::thread& thread : threads) {
            if (thread.get_id() == std::this_thread::get_id()) {
                thread.detach();  // a piece of work ends the process
            } else {
                thread.join();
            }
        }
    }

    inline static thread_local bool at_work_ = false;  // whether this thread is counted among those at work

    const unsigned most_;
    std::atomic<Crew*> crew_;  // owned, but in a forked child, where the parent's is left alone
};

}  // namespace kith::inline v0
