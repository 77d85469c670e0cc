// tests/core/executor_test.cpp — shared work is all done, whoever helps, and nobody waits for help.
#include "kith/core/executor.hpp"

#include "kith/core/parallel.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

using kith::Executor;

namespace {

/// Holds threads until as many came as it was made for.
class Meeting {
public:
    explicit Meeting(int expected) : missing_(expected) {}
    void come() noexcept { --missing_; }
    void wait() const noexcept {
        while (missing_.load() > 0) std::this_thread::yield();
    }
    void come_and_wait() noexcept {
        come();
        wait();
    }

private:
    std::atomic<int> missing_;
};

/// True when each piece was done once, and by a thread that there is.
bool does_all(Executor& executor, unsigned threads, std::size_t pieces) {
    std::vector<std::atomic<int>> done(pieces);
    std::atomic<bool> numbered = true;
    executor.share(threads, pieces, [&](std::size_t piece, unsigned thread) {
        ++done[piece];
        if (thread >= threads) numbered = false;
    });
    for (const std::atomic<int>& times : done) {
        if (times != 1) return false;
    }
    return numbered;
}

/// What `act` returns in a forked child: how the child ended. A child that hangs is ended by its alarm.
template <class Act>
int status_of_child(const Act& act) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(20);
        ::_exit(act());
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("Every piece is done once, by threads below their number", "[threads]") {
    for (const unsigned most : {1U, 2U, 5U}) {
        Executor executor(most);
        for (const unsigned threads : {0U, 1U, 2U, 9U}) {
            for (const std::size_t pieces : {0U, 1U, 2U, 7U, 300U}) {
                CAPTURE(most, threads, pieces);
                CHECK(does_all(executor, threads == 0 ? 1 : threads, pieces));
            }
        }
    }
}

TEST_CASE("Helpers work beside the caller, and are the same ones the next time", "[threads]") {
    Executor executor(3);
    for (int round = 0; round < 20; ++round) {
        Meeting meeting(3);  // ends only when three threads have a piece each
        std::atomic<int> callers = 0;
        executor.share(3, 3, [&](std::size_t, unsigned thread) {
            if (thread == 0) ++callers;
            meeting.come_and_wait();
        });
        CHECK(callers == 1);
    }
}

TEST_CASE("Who comes when all are at work does everything alone", "[threads]") {
    Executor executor(2);
    Meeting begun(2), end(1);
    std::thread first([&] {
        executor.share(2, 2, [&](std::size_t, unsigned) {
            begun.come();
            end.wait();
        });
    });
    begun.wait();
    const auto caller = std::this_thread::get_id();
    std::size_t alone = 0;
    executor.share(2, 100, [&](std::size_t, unsigned thread) {
        if (thread == 0 && std::this_thread::get_id() == caller) ++alone;
    });
    CHECK(alone == 100);
    end.come();
    first.join();
    Meeting again(2);  // and then there is help again
    executor.share(2, 2, [&](std::size_t, unsigned) { again.come_and_wait(); });
}

TEST_CASE("Who works without sharing takes the place of a helper", "[threads]") {
    Executor executor(2);
    const auto gets_help = [&] {
        std::atomic<bool> helped = false;
        const auto caller = std::this_thread::get_id();
        executor.share(2, 1000, [&](std::size_t, unsigned) {
            if (std::this_thread::get_id() != caller) helped = true;
        });
        return helped.load();
    };
    Meeting begun(1), end(1);
    std::thread other([&] {
        executor.attend([&] {
            begun.come();
            end.wait();
        });
    });
    begun.wait();
    CHECK_FALSE(gets_help());
    end.come();
    other.join();
    CHECK_THROWS_AS(executor.attend([] { kith::raise(kith::Errc::cancelled, "no"); }), kith::Error);
    Meeting both(2);  // a helper comes again
    executor.share(2, 2, [&](std::size_t, unsigned) { both.come_and_wait(); });
}

TEST_CASE("Work that goes on finds help as soon as there is some", "[threads]") {
    Executor executor(2);
    Meeting begun(2), end(1), second_begun(1);
    std::thread first([&] {
        executor.share(2, 2, [&](std::size_t, unsigned) {
            begun.come();
            end.wait();
        });
    });
    begun.wait();
    std::atomic<bool> helped = false;
    std::thread second([&] {
        static_cast<void>(kith_test::raised([&] {
            executor.share(2, std::size_t{1} << 40, [&](std::size_t, unsigned thread) {
                second_begun.come();
                if (thread == 1) helped = true;
                if (helped) kith::raise(kith::Errc::cancelled, "enough");
            });
        }));
    });
    second_begun.wait();
    end.come();
    first.join();
    second.join();
    CHECK(helped);
}

TEST_CASE("Pieces may share work of their own", "[threads]") {
    Executor executor(3);
    std::atomic<int> done = 0;
    executor.share(3, 10, [&](std::size_t, unsigned) {
        executor.share(3, 10,
                       [&](std::size_t, unsigned) { executor.share(3, 10, [&](std::size_t, unsigned) { ++done; }); });
    });
    CHECK(done == 1000);
}

TEST_CASE("Many callers share work at once", "[threads]") {
    Executor executor(4);
    std::atomic<int> wrong = 0;
    std::vector<std::thread> callers;
    for (unsigned caller = 0; caller < 6; ++caller) {
        callers.emplace_back([&] {
            for (std::size_t round = 0; round < 300; ++round) wrong += does_all(executor, 4, 1 + round % 9) ? 0 : 1;
        });
    }
    for (std::thread& caller : callers) caller.join();
    CHECK(wrong == 0);
}

TEST_CASE("What a piece throws reaches the caller, once nobody works any more", "[threads]") {
    Executor executor(3);
    for (const unsigned threads : {1U, 3U}) {
        std::atomic<int> working = 0;
        const auto fail = [&] {
            executor.share(threads, 1000, [&](std::size_t piece, unsigned) {
                ++working;
                if (piece == 20) {
                    --working;
                    kith::raise(kith::Errc::limit_exceeded, "piece 20");
                }
                std::this_thread::yield();
                --working;
            });
        };
        const kith_test::Raised raised = kith_test::raised(fail);
        CHECK(raised.code == kith::Errc::limit_exceeded);
        CHECK(working == 0);
        CHECK(does_all(executor, 3, 100));
    }
}

TEST_CASE("A forked child shares work with threads of its own") {
    Executor executor(3);
    REQUIRE(does_all(executor, 3, 100));
    REQUIRE(does_all(Executor::shared(), 3, 100));
    const auto child = [&] {
        Meeting meeting(3);
        executor.share(3, 3, [&](std::size_t, unsigned) { meeting.come_and_wait(); });
        const auto grandchild = [&] { return does_all(executor, 3, 100) ? 0 : 1; };
        return does_all(Executor::shared(), 3, 100) && status_of_child(grandchild) == 0 ? 0 : 1;
    };
    for (int round = 0; round < 20; ++round) CHECK(status_of_child(child) == 0);
    CHECK(does_all(executor, 3, 100));
}

TEST_CASE("A child that is forked while others share work waits for none of them") {
    Executor executor(3);
    std::atomic<bool> enough = false;
    std::thread busy([&] {
        while (!enough) executor.share(3, 50, [](std::size_t, unsigned) {});
    });
    for (int round = 0; round < 50; ++round) {
        CHECK(status_of_child([&] { return does_all(executor, 3, 100) ? 0 : 1; }) == 0);
    }
    enough = true;
    busy.join();
}

TEST_CASE("A child that is forked by a piece is told that the work is lost") {
    Executor executor(2);
    Meeting begun(2), end(1);
    std::atomic<int> status = -1;
    const auto fork_in_a_piece = [&] {
        executor.share(2, 2, [&](std::size_t, unsigned thread) {
            begun.come_and_wait();
            if (thread != 0) return end.wait();
            const pid_t child = ::fork();
            if (child == 0) {
                ::alarm(20);
                return;
            }
            int how = 0;
            ::waitpid(child, &how, 0);
            status = WIFEXITED(how) ? WEXITSTATUS(how) : -1;
            end.come();
        });
    };
    const pid_t parent = ::getpid();
    const kith_test::Raised raised = kith_test::raised(fork_in_a_piece);
    if (::getpid() != parent) ::_exit(raised.code == kith::Errc::forked && does_all(executor, 2, 100) ? 0 : 1);
    CHECK(!raised.code.has_value());
    CHECK(status == 0);
}

TEST_CASE("A process ends while its threads share work, and after") {
    const auto ends = [](const auto& act) {
        const pid_t child = ::fork();
        if (child == 0) {
            ::alarm(20);
            std::fclose(stdout);  // what the parent's buffer holds is the parent's to write
            act();
            std::exit(7);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        return WIFEXITED(status) && WEXITSTATUS(status) == 7;
    };
    CHECK(ends([] {}));
    CHECK(ends([] { kith::share_work(3, 100, [](std::size_t, unsigned) {}); }));
    CHECK(ends([] {
        // Shares work when the threads of the process are gone.
        struct Late {
            ~Late() {
                std::size_t done = 0;
                kith::share_work(3, 100, [&](std::size_t, unsigned thread) {
                    if (thread == 0) ++done;
                });
                if (done != 100) ::_exit(1);
            }
        };
        static const Late late;
        static_cast<void>(late);
        kith::share_work(3, 100, [](std::size_t, unsigned) {});
    }));
    CHECK(ends([] {
        static Meeting begun(1);  // the thread outlives this call
        std::thread([] {
            kith::share_work(3, 1U << 20, [](std::size_t, unsigned) {
                begun.come();
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            });
        }).detach();
        begun.wait();
    }));
}
