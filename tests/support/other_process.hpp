// tests/support/other_process.hpp — a second process that does what a test says, reports, and is stopped or killed.
//
// It is a child made by fork that shares nothing with its parent but a line: each side says one thing at a time and the
// other waits for it, so a test needs no clock.
//
// Thread safety: none. The test has no other thread when it makes one.
#pragma once

#include "support/catch.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <string>
#include <utility>

namespace kith_test {

class OtherProcess {
public:
    /// The child's end of the line.
    class Line {
    public:
        explicit Line(int descriptor) : descriptor_(descriptor) {}

        /// Lets the parent's await_report return. Gives the process a number to say.
        void report(std::int64_t said = 0) const { static_cast<void>(::write(descriptor_, &said, sizeof(said))); }

        /// Whether the parent called stop(), or is gone.
        [[nodiscard]] bool asked_to_stop() const {
            struct pollfd waiting = {descriptor_, POLLIN, 0};
            return ::poll(&waiting, 1, 0) > 0;
        }

        void wait_for_stop() const {
            char byte = 0;
            static_cast<void>(::read(descriptor_, &byte, 1));
        }

    private:
        int descriptor_;
    };

    /// Runs `act(line)` in a child, whose exit code is what it returns; 98 when it raises.
    template <class Act>
    explicit OtherProcess(Act&& act) {
        int ends[2] = {-1, -1};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        child_ = ::fork();
        REQUIRE(child_ >= 0);
        if (child_ == 0) {
            ::close(ends[0]);
            for (const int fatal : {SIGSEGV, SIGBUS, SIGABRT}) std::signal(fatal, SIG_DFL);
            int code = 98;
            try {
                Line line(ends[1]);
                code = act(line);
            } catch (...) {
                code = 98;
            }
            ::_exit(code);
        }
        ::close(ends[1]);
        line_ = ends[0];
    }
    OtherProcess(const OtherProcess&) = delete;
    OtherProcess& operator=(const OtherProcess&) = delete;
    ~OtherProcess() {
        if (child_ > 0) kill();
        ::close(line_);
    }

    [[nodiscard]] pid_t number() const noexcept { return child_; }

    /// What the child reports next; fails when it ended instead.
    std::int64_t await_report() const {
        std::int64_t said = 0;
        REQUIRE(::recv(line_, &said, sizeof(said), MSG_WAITALL) == sizeof(said));
        return said;
    }

    /// Asks it to stop and returns its exit code; 1000 and the signal when one ended it.
    int stop() {
        ::shutdown(line_, SHUT_WR);
        return wait();
    }

    /// SIGKILL: it closes nothing and says nothing.
    void kill() {
        ::kill(child_, SIGKILL);
        wait();
    }

    int wait() {
        int status = 0;
        while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
        }
        child_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    }

private:
    pid_t child_ = -1;  // -1 once it was waited for
    int line_ = -1;     // this end of it
};

}  // namespace kith_test
