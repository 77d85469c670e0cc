// tests/collection/crash_program.cpp — a program to be killed, and the judge of what it left behind.
//
//   crash_program write DIRECTORY SEED FIRST LAST   takes the steps FIRST to LAST on the collection DIRECTORY/store
//   crash_program check DIRECTORY SEED ACKNOWLEDGED judges it; ACKNOWLEDGED is the last step that was, or -1
//   crash_program steps SEED LAST                   prints what each step does
//
// Step 0 makes the collection, and every later one is known from SEED and its number alone, so the judge can work out
// what the collection must hold after any of them. The writer prints "begin 7 insert" before a step and "done 7" once
// it is acknowledged. The judge accepts the state after ACKNOWLEDGED or after the step that was under way, and nothing
// in between; then it writes, closes, opens and looks again, and leaves everything as it was. It prints the step that
// it found and exits with 0, or says what is wrong and exits with 1.
#include "kith/collection/collection.hpp"
#include "kith/core/random.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/distance/l2.hpp"

#include <unistd.h>
#include <array>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

struct Item {
    std::string id;
    std::int64_t version = 0;
    std::optional<std::string> text;
    std::array<float, 6> exact{};
    std::array<float, 20> near{};

    friend bool operator==(const Item&, const Item&) = default;
};

using Items = kith::Schema<Item, kith::Key<&Item::id>, kith::VectorField<&Item::exact, kith::L2, kith::Flat>,
                           kith::VectorField<&Item::near, kith::Cosine>>;
using Store = kith::Collection<Items>;
using Model = std::map<std::uint64_t, std::int64_t>;  // the version of each item by its number

enum class Act : std::uint8_t { create, insert, upsert, update, erase, checkpoint, reopen };

struct Step {
    Act act = Act::create;
    std::vector<std::uint64_t> numbers;  // of the items
};

const char* name_of(Act act) {
    constexpr std::array<const char*, 7> names{"create", "insert", "upsert", "update", "erase", "checkpoint", "reopen"};
    return names[static_cast<std::size_t>(act)];
}

kith::SplitMix64 random_of(std::uint64_t seed, std::uint64_t a, std::uint64_t b) {
    kith::SplitMix64 mixed(seed * 0x9e3779b97f4a7c15 + a);
    return kith::SplitMix64(mixed() + b);
}

std::string key_of(std::uint64_t number) {
    return "item " + std::to_string(number);
}

Item item_of(std::uint64_t seed, std::uint64_t number, std::int64_t version) {
    kith::SplitMix64 random = random_of(seed, number + 1, static_cast<std::uint64_t>(version));
    Item item;
    item.id = key_of(number);
    item.version = version;
    if (random() % 3 != 0) item.text = std::string(random() % 400, static_cast<char>('a' + random() % 26));
    for (float& element : item.exact) element = static_cast<float>(random.uniform());
    for (float& element : item.near) element = static_cast<float>(random.uniform() - 0.5);
    return item;
}

/// Some numbers of items that are in the model (`present`) or not, without repetition.
std::vector<std::uint64_t> pick(kith::SplitMix64& random, const Model& model, std::uint64_t universe, bool present) {
    const std::uint64_t wanted = 1 + (random() % 4 == 0 ? random() % 40 : random() % 4);
    std::set<std::uint64_t> picked;
    for (std::uint64_t trial = 0; trial < 4 * wanted && picked.size() < wanted; ++trial) {
        const std::uint64_t number = random() % universe;
        if (model.contains(number) == present) picked.insert(number);
    }
    return {picked.begin(), picked.end()};
}

/// Step `number`, given what the steps before it left in `model`.
Step step_of(std::uint64_t seed, std::uint64_t number, const Model& model) {
    if (number == 0) return {};
    kith::SplitMix64 random = random_of(seed, 0, number);
    const std::uint64_t universe = 100 + number / 4;
    const std::uint64_t choice = random() % 100;
    if (choice < 3) return {Act::checkpoint, {}};
    if (choice < 4) return {Act::reopen, {}};
    if (choice < 40) return {Act::insert, pick(random, model, universe, false)};
    if (choice < 55) return {Act::erase, pick(random, model, universe, true)};
    if (choice < 65) {
        std::vector<std::uint64_t> numbers = pick(random, model, universe, true);
        if (!numbers.empty()) numbers.resize(1);
        return {Act::update, std::move(numbers)};
    }
    std::vector<std::uint64_t> numbers = pick(random, model, universe, true);
    for (const std::uint64_t other : pick(random, model, universe, false)) numbers.push_back(other);
    return {Act::upsert, std::move(numbers)};
}

/// What an item becomes in step `number`.
std::int64_t version_in(std::uint64_t number) {
    return static_cast<std::int64_t>(number);
}

void apply(const Step& step, std::uint64_t number, Model& model) {
    for (const std::uint64_t item : step.numbers) {
        if (step.act == Act::erase) {
            model.erase(item);
        } else {
            model[item] = version_in(number);
        }
    }
}

kith::Options options_of(std::uint64_t seed) {
    kith::Options options;
    options.segment_capacity = 150;
    options.log_bytes = seed % 2 == 0 ? std::uint64_t{1} << 17 : std::uint64_t{1} << 28;  // even: in the background too
    return options;
}

// With one call, so that a recorder sees it as one event and a killed process leaves no half line.
void say(const std::string& line) {
    if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(9);
}

class Writer {
public:
    Writer(std::filesystem::path path, std::uint64_t seed) : path_(std::move(path)), seed_(seed) {}

    void run(std::uint64_t first, std::uint64_t last) {
        for (std::uint64_t number = 0; number <= last; ++number) {
            const Step step = step_of(seed_, number, model_);
            if (number >= first) {
                say("begin " + std::to_string(number) + ' ' + name_of(step.act) + '\n');
                take(step, number);
                say("done " + std::to_string(number) + '\n');
            }
            apply(step, number, model_);
        }
        store_->close();
    }

private:
    void take(const Step& step, std::uint64_t number) {
        if (store_ == nullptr) store_ = std::make_unique<Store>(path_, options_of(seed_));
        std::vector<Item> items;
        std::vector<std::string> keys;
        for (const std::uint64_t item : step.numbers) {
            items.push_back(item_of(seed_, item, version_in(number)));
            keys.push_back(items.back().id);
        }
        switch (step.act) {
            case Act::create:
                return;
            case Act::insert:
                return store_->insert(items);
            case Act::upsert:
                return store_->upsert(items);
            case Act::update:
                for (const Item& item : items) store_->update(item.id, [&](Item& old) { old = item; });
                return;
            case Act::erase:
                if (store_->erase(keys) != keys.size()) throw std::runtime_error("erase did not find its items");
                return;
            case Act::checkpoint:
                return store_->checkpoint();
            case Act::reopen:
                store_ = nullptr;
                store_ = std::make_unique<Store>(path_, options_of(seed_));
                return;
        }
    }

    std::filesystem::path path_;
    std::uint64_t seed_;
    Model model_;                   // after the steps so far
    std::unique_ptr<Store> store_;  // open from the first step taken
};

/// What is wrong with the store, were it to hold `model`; nothing when it does.
std::string difference(const Store& store, std::uint64_t seed, const Model& model) {
    if (store.size() != model.size()) {
        return std::to_string(store.size()) + " items, not " + std::to_string(model.size());
    }
    for (const auto& [number, version] : model) {
        const std::optional<Item> found = store.get(key_of(number));
        if (!found.has_value()) return key_of(number) + " is missing";
        if (*found == item_of(seed, number, version)) continue;
        return key_of(number) + " has version " + std::to_string(found->version) + ", not " + std::to_string(version);
    }
    std::size_t walked = 0;
    for (const Item& item : store.records()) {
        const std::uint64_t number = std::stoull(item.id.substr(5));
        if (!model.contains(number)) return "a walk meets " + item.id;
        if (item != item_of(seed, number, model.at(number))) return "a walk meets another " + item.id;
        ++walked;
    }
    return walked == model.size() ? "" : "a walk meets " + std::to_string(walked) + " items";
}

/// What is wrong with the answers of searches.
std::string search_trouble(const Store& store, std::uint64_t seed, const Model& model) {
    std::size_t asked = 0;
    for (auto at = model.rbegin(); at != model.rend() && asked < 10; ++at, ++asked) {
        const Item item = item_of(seed, at->first, at->second);
        const auto nearest = store.nearest<&Item::exact>(item.exact).limit(3).run();
        if (nearest.empty() || nearest.front().record != item) return "an exact search does not find " + item.id;
        for (const auto& hit : store.nearest<&Item::near>(item.near).limit(10).run()) {
            const std::uint64_t number = std::stoull(hit.record.id.substr(5));
            const auto expected = model.find(number);
            if (expected == model.end()) return "a graph search finds " + hit.record.id + ", which is gone";
            if (hit.record != item_of(seed, number, expected->second)) return "a graph search finds an old record";
        }
    }
    return "";
}

[[noreturn]] void fail(const std::string& text) {
    throw std::runtime_error(text);
}

/// The step after which the store stands.
std::uint64_t find_step(const Store& store, std::uint64_t seed, std::int64_t acknowledged) {
    Model model;
    std::string text;
    for (std::int64_t number = 0; number <= acknowledged + 1; ++number) {
        const auto current = static_cast<std::uint64_t>(number);
        apply(step_of(seed, current, model), current, model);
        if (number < acknowledged) continue;
        const std::string trouble = difference(store, seed, model);
        if (trouble.empty()) return current;
        text += "; not as after step " + std::to_string(number) + ": " + trouble;
    }
    fail("the store is in no state it may be in" + text);
}

void expect(const Store& store, std::uint64_t seed, const Model& model, const std::string& when) {
    std::string trouble = difference(store, seed, model);
    if (trouble.empty()) trouble = search_trouble(store, seed, model);
    if (!trouble.empty()) fail(when + ": " + trouble);
}

void check(const std::filesystem::path& path, std::uint64_t seed, std::int64_t acknowledged) {
    kith::Options options = options_of(seed);
    std::optional<std::uint64_t> seen;
    if (acknowledged >= 0) {
        options.mode = kith::OpenMode::read_only;
        seen = find_step(Store(path, options), seed, acknowledged);
        options.mode = kith::OpenMode::open;
    }
    constexpr std::uint64_t probe = 1'000'000'000;
    Model model;
    std::uint64_t found = 0;
    {
        Store store(path, options);
        found = find_step(store, seed, acknowledged);
        if (seen.value_or(found) != found) fail("opened for reading it stood after step " + std::to_string(*seen));
        for (std::uint64_t number = 0; number <= found; ++number) apply(step_of(seed, number, model), number, model);
        expect(store, seed, model, "after recovery");
        model[probe] = 1;
        store.insert(item_of(seed, probe, 1));
    }
    {
        Store store(path, options);
        if (store.recovery().torn_tail.has_value()) fail("a log that was mended and closed has a torn tail");
        expect(store, seed, model, "opened again after one more insert");
        store.erase(key_of(probe));
        model.erase(probe);
        store.checkpoint();
    }
    const Store store(path, options);
    if (store.recovery().replayed_batches != 0) fail("a checkpoint and a close left something to replay");
    expect(store, seed, model, "opened again after a checkpoint");
    say(std::to_string(found) + '\n');
}

void list_steps(std::uint64_t seed, std::uint64_t last) {
    Model model;
    for (std::uint64_t number = 0; number <= last; ++number) {
        const Step step = step_of(seed, number, model);
        apply(step, number, model);
        say(std::to_string(number) + ' ' + name_of(step.act) + ' ' + std::to_string(step.numbers.size()) + '\n');
    }
}

int run(const std::vector<std::string>& words) {
    if (words.size() == 5 && words[0] == "write") {
        Writer(words[1] + "/store", std::stoull(words[2])).run(std::stoull(words[3]), std::stoull(words[4]));
    } else if (words.size() == 4 && words[0] == "check") {
        check(words[1] + "/store", std::stoull(words[2]), std::stoll(words[3]));
    } else if (words.size() == 3 && words[0] == "steps") {
        list_steps(std::stoull(words[1]), std::stoull(words[2]));
    } else {
        std::fputs("usage: crash_program write DIRECTORY SEED FIRST LAST | check DIRECTORY SEED ACKNOWLEDGED\n",
                   stderr);
        return 2;
    }
    return 0;
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
