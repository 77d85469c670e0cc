// tests/collection/crash_program.cpp — a program to be killed, and the judge of what it left behind.
//
//   crash_program write DIRECTORY [NAME=VALUE...]    takes steps on the collection DIRECTORY/store and says so, each in a
//                                                    line (collection/crash/events.hpp)
//   crash_program check DIRECTORY [NAME=VALUE...]    judges the store; the lines of the run come by standard input
//   crash_program recover DIRECTORY [NAME=VALUE...]  opens the store and closes it
//
//   seed=1 lanes=1 load=0 capacity=60 log_kib=32 level=each_commit    the plan: the same for all three
//   from=0,0,…    the steps of each lane that were taken by an earlier run
//   steps=100     write: the last step of each lane
//   endure=1      write: goes on after an error as far as the collection does
//   loss=process  check: what stopped the run: process, or power
//
// The judge prints the step after which each lane stands, as `from` wants it, and exits with 0; or it says what is wrong
// and exits with 1. SIGTERM and SIGINT end a run in order.
#include "collection/crash/judge.hpp"
#include "collection/crash/writer.hpp"

#include <pthread.h>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <map>
#include <sstream>

namespace {

using kith_crash::Events;
using kith_crash::Loss;
using kith_crash::Plan;

class Arguments {
public:
    explicit Arguments(const std::vector<std::string>& words) {
        for (const std::string& word : words) {
            const std::size_t equals = word.find('=');
            if (equals == std::string::npos) throw std::invalid_argument(word + " is not NAME=VALUE");
            values_[word.substr(0, equals)] = word.substr(equals + 1);
        }
    }

    [[nodiscard]] std::string text(const std::string& name, const std::string& otherwise) const {
        const auto found = values_.find(name);
        return found == values_.end() ? otherwise : found->second;
    }
    [[nodiscard]] std::uint64_t number(const std::string& name, std::uint64_t otherwise) const {
        return std::stoull(text(name, std::to_string(otherwise)));
    }

    [[nodiscard]] Plan plan() const {
        Plan plan;
        plan.seed = number("seed", plan.seed);
        plan.lanes = number("lanes", plan.lanes);
        plan.load = number("load", plan.load);
        plan.capacity = static_cast<kith::Slot>(number("capacity", plan.capacity));
        plan.log_kib = number("log_kib", plan.log_kib);
        plan.level = text("level", plan.level);
        return plan;
    }

    [[nodiscard]] Events::Positions from() const {
        Events::Positions positions;
        std::istringstream numbers(text("from", ""));
        for (std::string one; std::getline(numbers, one, ',');) positions.push_back(std::stoull(one));
        positions.resize(plan().lanes);
        return positions;
    }

private:
    std::map<std::string, std::string> values_;
};

/// Asks for a stop when SIGTERM or SIGINT arrives.
class SignalWatch {
public:
    SignalWatch() {
        sigemptyset(&signals_);
        sigaddset(&signals_, SIGTERM);
        sigaddset(&signals_, SIGINT);
        pthread_sigmask(SIG_BLOCK, &signals_, nullptr);  // threads that begin later inherit it
        thread_ = std::thread([this] {
            constexpr timespec pause{0, 5'000'000};
            while (!done_) {
                if (sigtimedwait(&signals_, nullptr, &pause) > 0) stop_.request_stop();
            }
        });
    }
    SignalWatch(const SignalWatch&) = delete;
    SignalWatch& operator=(const SignalWatch&) = delete;
    ~SignalWatch() {
        done_ = true;
        thread_.join();
    }

    [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }

private:
    sigset_t signals_{};
    std::stop_source stop_;
    std::atomic<bool> done_ = false;
    std::thread thread_;
};

int write(const std::filesystem::path& path, const Arguments& arguments) {
    const SignalWatch signals;
    kith_crash::Writer writer(arguments.plan(), path, arguments.number("endure", 0) != 0);
    return static_cast<int>(writer.run(arguments.from(), arguments.number("steps", 100), signals.token()));
}

int check(const std::filesystem::path& path, const Arguments& arguments) {
    const Plan plan = arguments.plan();
    Events events(plan.lanes, arguments.from());
    events.read(std::cin);
    const bool power = arguments.text("loss", "process") == "power";
    const Loss loss = power && plan.level != "each_commit" ? Loss::unsynced : Loss::nothing;
    std::string line;
    for (const std::uint64_t position : kith_crash::judge(path, plan, events, loss)) {
        line += (line.empty() ? "" : ",") + std::to_string(position);
    }
    kith_crash::say(line);
    return 0;
}

int recover(const std::filesystem::path& path, const Arguments& arguments) {
    kith_crash::Store(path, kith_crash::options_of(arguments.plan())).close();
    return 0;
}

int run(const std::vector<std::string>& words) {
    if (words.size() >= 2) {
        const std::filesystem::path path = std::filesystem::path(words[1]) / "store";
        const Arguments arguments({words.begin() + 2, words.end()});
        if (words[0] == "write") return write(path, arguments);
        if (words[0] == "check") return check(path, arguments);
        if (words[0] == "recover") return recover(path, arguments);
    }
    std::fputs("usage: crash_program write|check|recover DIRECTORY [NAME=VALUE...]\n", stderr);
    return 2;
}

}  // namespace

int main(int count, char** words) {
    try {
        return run({words + 1, words + count});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
