// tests/collection/crash/writer.hpp — the lanes of a run: threads that write what the plan says, and say so.
#pragma once

#include "collection/crash/events.hpp"
#include "collection/crash/judge.hpp"

#include <atomic>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace kith_crash {

/// How a run ends when nothing kills it.
enum class Ending : int {
    finished = 0,
    gave_up = 3,  // the collection refuses to go on, or cannot be opened
};

class Writer {
public:
    /// `endure`: an error of the collection is said and examined, and the run goes on where it can.
    /// Requires: one lane, where it endures.
    Writer(const Plan& plan, std::filesystem::path path, bool endure)
        : plan_(plan), path_(std::move(path)), endure_(endure), held_(plan.lanes) {}

    /// Takes the steps of all lanes up to `last`, after those in `from`. `stop` ends it early and in order.
    Ending run(const Events::Positions& from, std::uint64_t last, const std::stop_token& stop) {
        stop_ = stop;
        say("opening");
        if (!open()) return Ending::gave_up;
        std::vector<std::thread> threads;
        for (std::uint64_t lane = 0; lane < plan_.lanes; ++lane) {
            threads.emplace_back([this, lane, last, first = from.at(lane) + 1] { run_lane(lane, first, last); });
        }
        for (std::thread& thread : threads) thread.join();
        if (failure_ != nullptr) std::rethrow_exception(failure_);
        for (std::optional<Held>& held : held_) held.reset();
        say("closing");
        if (store_ == nullptr || !endures([this] { store_->close(); })) return Ending::gave_up;
        say("closed");
        return gave_up_ ? Ending::gave_up : Ending::finished;
    }

private:
    void run_lane(std::uint64_t lane, std::uint64_t first, std::uint64_t last) {
        try {
            Lane steps(plan_, lane);
            for (std::uint64_t number = 1; number <= last && !gave_up_ && !stop_.stop_requested(); ++number) {
                const Step step = steps.step(number);
                if (number < first || take(lane, number, step, steps.model())) steps.apply(step, number);
            }
        } catch (...) {
            const std::lock_guard lock(failure_mutex_);
            if (failure_ == nullptr) failure_ = std::current_exception();
            gave_up_ = true;
        }
    }

    /// Returns whether the step was taken; `before` is what the lane holds before it.
    bool take(std::uint64_t lane, std::uint64_t number, const Step& step, const Model& before) {
        // A reopen waits for the steps under way, and the next ones for it.
        std::unique_lock turn(turnstile_);
        std::shared_lock beside(stepping_, std::defer_lock);
        std::unique_lock alone(stepping_, std::defer_lock);
        if (step.act == Act::reopen) {
            alone.lock();
        } else {
            turn.unlock();
            beside.lock();
        }
        if (store_ == nullptr) return false;
        const std::string place = std::to_string(lane) + ' ' + std::to_string(number);
        say("begin " + place + ' ' + name_of(step.act));
        try {
            read_back(number, before);
            act(lane, step, number, before);
            say("done " + place);
            return true;
        } catch (const kith::Error& error) {
            const bool stopped = error.code() == kith::Errc::cancelled && stop_.stop_requested();
            if (!endure_ && !stopped) throw;
            say("failed " + place + ' ' + std::string(kith::name(error.code())));
            examine(place, error.code(), before);
            return false;
        }
    }

    /// A lane sees what it wrote, whatever is sealed and merged meanwhile.
    void read_back(std::uint64_t number, const Model& before) const {
        if (before.empty()) return;
        const auto at = before.lower_bound(kith::mix64(number) % (before.rbegin()->first + 1));
        const Item item = item_of(plan_.seed, at->first, at->second);
        const std::optional<Item> found = store_->get(item.id);
        if (!found.has_value()) fail(item.id + " is not found, and was written");
        if (found != item) fail("another " + item.id + " is found than was written");
        const auto nearest = store_->nearest<&Item::exact>(item.exact).limit(1).run();
        if (nearest.empty() || nearest.front().record != item) fail("a search does not find " + item.id);
    }

    void act(std::uint64_t lane, const Step& step, std::uint64_t number, const Model& before) {
        std::vector<Item> items;
        std::vector<std::string> keys;
        for (const std::uint64_t item : step.numbers) {
            items.push_back(item_of(plan_.seed, item, number));
            keys.push_back(items.back().id);
        }
        switch (step.act) {
            case Act::load:
            case Act::insert:
                return store_->insert(items);
            case Act::upsert:
                return store_->upsert(items);
            case Act::update:
                for (const Item& item : items) update(item, before);
                return;
            case Act::erase:
                if (store_->erase(keys) != keys.size()) fail("erase did not find its items");
                return;
            case Act::refused:
                return insert_what_is_there(std::move(items));
            case Act::link:
                return store_->link();
            case Act::checkpoint:
                return store_->checkpoint({.stop = stop_, .deadline = {}});
            case Act::compact:
                return store_->compact({.stop = stop_, .deadline = {}});
            case Act::hold:
                return hold(lane, before);
            case Act::reopen:
                for (std::optional<Held>& held : held_) held.reset();
                std::exchange(store_, nullptr)->close();
                if (!open()) gave_up_ = true;
                return;
        }
    }

    void update(const Item& item, const Model& before) {
        const std::uint64_t number = number_of(item);
        store_->update(item.id, [&](Item& old) {
            if (old != item_of(plan_.seed, number, before.at(number))) fail("update is given another " + item.id);
            old = item;
        });
    }

    /// Looks whether the snapshot held so far still shows what it did, and takes another.
    void hold(std::uint64_t lane, const Model& before) {
        std::optional<Held>& held = held_.at(lane);
        if (held.has_value()) {
            std::size_t mine = 0;
            for (const Item& item : held->snapshot.records()) {
                const std::uint64_t number = number_of(item);
                if (number % plan_.lanes != lane) continue;
                const auto expected = held->model.find(number);
                if (expected == held->model.end()) fail("a snapshot shows " + item.id + ", which was gone");
                if (item != item_of(plan_.seed, number, expected->second)) fail("a snapshot shows a later " + item.id);
                if (held->snapshot.get(item.id) != item) fail("a snapshot does not find " + item.id);
                ++mine;
            }
            if (mine != held->model.size()) fail("a snapshot has lost items");
        }
        held.reset();
        held.emplace(Held{store_->snapshot(), before});
    }

    /// A batch of which one key is present must be refused whole.
    void insert_what_is_there(std::vector<Item> items) {
        if (items.empty()) return;
        items.insert(items.begin(), item_of(plan_.seed, plan_.lanes * first_of_no_lane, 1));
        try {
            store_->insert(items);
        } catch (const kith::Error& error) {
            if (error.code() == kith::Errc::already_exists) return;
            throw;
        }
        fail("an insert of keys that are present was not refused");
    }

    bool open() {
        constexpr int attempts = 3;
        for (int attempt = 0; attempt < (endure_ ? attempts : 1); ++attempt) {
            if (!endures([this] { store_ = std::make_unique<Store>(path_, options_of(plan_)); })) continue;
            say("opened");
            return true;
        }
        return false;
    }

    /// Whether `act` went well. Throws: what it raises, unless the writer endures it.
    template <class Function>
    bool endures(Function&& act) {
        try {
            act();
            return true;
        } catch (const kith::Error& error) {
            if (!endure_) throw;
            say("failed 0 0 " + std::string(kith::name(error.code())));
            return false;
        }
    }

    /// After an error a collection goes on as it was before the step, or is poisoned for good.
    void examine(const std::string& place, kith::Errc code, const Model& before) {
        if (store_ == nullptr) {
            if (!open()) gave_up_ = true;
            say("skipped " + place);
            return;
        }
        const auto poisoned = [this] {
            try {
                store_->upsert(std::vector<Item>());
                return false;
            } catch (const kith::Error& error) {
                return error.code() == kith::Errc::poisoned;
            }
        };
        if (code == kith::Errc::poisoned || poisoned()) {
            if (!poisoned()) fail("it was poisoned, and takes writes again");
            gave_up_ = true;
            return;
        }
        if (plan_.lanes == 1 && examined_++ < most_examined) compare(before);
        say("skipped " + place);
    }

    /// Reads may fail while a fault lasts; they may not give another answer.
    void compare(const Model& before) {
        try {
            if (contents(*store_, plan_).at(0) != before) fail("a step that failed changed what is there");
        } catch (const kith::Error& error) {
            say("failed 0 0 " + std::string(kith::name(error.code())));
        }
    }

    static constexpr int most_examined = 5;  // where every step fails

    struct Held {
        kith::Snapshot<Items> snapshot;
        Model model;  // what it shows of the lane
    };

    Plan plan_;
    std::filesystem::path path_;
    bool endure_;
    std::stop_token stop_;
    std::unique_ptr<Store> store_;           // null when it could not be opened again
    std::vector<std::optional<Held>> held_;  // one a lane, that of the lane
    std::mutex turnstile_;
    std::shared_mutex stepping_;  // exclusive: by a step that closes the store
    std::atomic<bool> gave_up_ = false;
    std::mutex failure_mutex_;
    std::exception_ptr failure_;  // of the first lane that failed
    int examined_ = 0;
};

}  // namespace kith_crash
