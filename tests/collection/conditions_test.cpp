// tests/collection/conditions_test.cpp — whatever the condition and wherever the records are, a collection finds what a
// look at every record finds.
#include "things.hpp"

#include "kith/collection/backup.hpp"

#include "settings.hpp"
#include "support/await.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_directory.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <thread>
#include <vector>

using kith::Collection;
using kith_test::Asked;
using kith_test::await;
using kith_test::compare;
using kith_test::erase_things;
using kith_test::FileFaults;
using kith_test::matching;
using kith_test::Model;
using kith_test::on_call;
using kith_test::TemporaryDirectory;
using kith_test::Thing;
using kith_test::ThingMaker;
using kith_test::Things;
using kith_test::to_read;
using kith_test::write_things;

namespace {

constexpr int asked_conditions = 100;

kith::Options in_segments_of(kith::Slot records) {
    kith::Options options = on_call();
    options.segment_capacity = records;
    return options;
}

}  // namespace

TEST_CASE("A condition finds the same in every state of a collection") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "things";
    ThingMaker maker(1);
    const std::vector<Asked> conditions = maker.conditions(asked_conditions);
    Model model;
    {
        Collection<Things> collection(path, in_segments_of(400));
        compare(collection, model, conditions);
        write_things(collection, model, maker, 0, 300);
        compare(collection, model, conditions);  // in the segment that is written

        write_things(collection, model, maker, 250, 700);
        erase_things(collection, model, 9);
        compare(collection, model, conditions);  // some have ended
        const auto snapshot = collection.snapshot();
        const Model then = model;

        collection.checkpoint();
        compare(collection, model, conditions);
        Collection<Things> follower(path, to_read());
        compare(follower, model, conditions);

        write_things(collection, model, maker, 100, 150);
        write_things(collection, model, maker, 2000, 60);
        erase_things(collection, model, 11);
        compare(collection, model, conditions);  // sealed ones with deletes beside one that is written
        compare(snapshot, then, conditions);
        compare(follower, then, conditions);
        follower.refresh();
        compare(follower, model, conditions);  // out of the log

        collection.compact();
        compare(collection, model, conditions);
        compare(snapshot, then, conditions);
        compare(follower, model, conditions);
        follower.refresh();
        compare(follower, model, conditions);
        write_things(collection, model, maker, 120, 30);
    }
    {
        Collection<Things> collection(path, in_segments_of(400));
        compare(collection, model, conditions);  // out of the log
        collection.backup(directory / "backup");
        compare(Collection<Things>(directory / "backup", on_call()), model, conditions);
        write_things(collection, model, maker, 500, 20);
    }
    kith::Options cached = on_call();
    cached.cache_bytes = std::uint64_t{1} << 20;
    compare(Collection<Things>(path, cached), model, conditions);
    compare(Collection<Things>(path, to_read()), model, conditions);
}

TEST_CASE("In memory a condition finds the same, also once segments were merged") {
    ThingMaker maker(2);
    const std::vector<Asked> conditions = maker.conditions(asked_conditions);
    Collection<Things> collection(kith::in_memory, in_segments_of(300));
    Model model;
    write_things(collection, model, maker, 0, 800);
    erase_things(collection, model, 2);
    write_things(collection, model, maker, 300, 200);
    compare(collection, model, conditions);
    collection.compact();
    compare(collection, model, conditions);
    collection.erase_all();
    compare(collection, Model(), conditions);
}

TEST_CASE("A condition finds the same where a merge took over a segment with its dead records") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    ThingMaker maker(5);
    const std::vector<Asked> conditions = maker.conditions(asked_conditions);
    kith::Options options;
    options.segment_capacity = 4000;
    Collection<Things> collection(directory / "things", options);
    Model model;
    write_things(collection, model, maker, 0, 1300);
    erase_things(collection, model, 20);
    collection.checkpoint();
    erase_things(collection, model, 25);
    for (int first = 2000; first < 2300; first += 100) {
        write_things(collection, model, maker, first, 100);
        collection.checkpoint();
    }
    write_things(collection, model, maker, 3000, 5);  // a write wakes who merges
    await([&] { return collection.stats().segments.size() == 2; });
    CHECK(collection.stats().deleted > 0);
    compare(collection, model, conditions);
}

TEST_CASE("What a condition erases and changes is what it finds") {
    ThingMaker maker(6);
    Collection<Things> collection(kith::in_memory, in_segments_of(400));
    Model model;
    write_things(collection, model, maker, 0, 1000);
    for (std::uint32_t round = 0; round < 60; ++round) {
        const Asked asked = maker.condition(2);
        INFO("where " << asked.text);
        const auto condition =
            asked.condition && kith::field<&Thing::code> >= 5 * round && kith::field<&Thing::code> < 5 * round + 15;
        const std::vector<std::string> keys = matching(model, condition);
        if (round % 2 == 0) {
            CHECK(collection.erase_where(condition) == keys.size());
            for (const std::string& key : keys) model.erase(key);
        } else {
            const auto change = [](Thing& thing) {
                thing.small -= 1;
                thing.note = thing.note.value_or("") + "a";
            };
            CHECK(collection.update_where(condition, change) == keys.size());
            for (const std::string& key : keys) change(model[key]);
        }
        CHECK(collection.count(condition) == matching(model, condition).size());
    }
    compare(collection, model, maker.conditions(20));
}

TEST_CASE("A write that failed leaves nothing for conditions to find") {
    if (!FileFaults::work()) return;
    const TemporaryDirectory directory;
    ThingMaker maker(7);
    const std::vector<Asked> conditions = maker.conditions(40);
    Collection<Things> collection(directory / "things", in_segments_of(250));
    Model model;
    write_things(collection, model, maker, 0, 200);
    for (int round = 0; round < 3; ++round) {
        Model unwritten = model;
        {
            const FileFaults full(kith_test::FileCall::write, 1, ENOSPC);
            CHECK_THROWS_AS(write_things(collection, unwritten, maker, 150 + 100 * round, 100), kith::Error);
        }
        compare(collection, model, conditions);
        write_things(collection, model, maker, 180 + 100 * round, 100);
        compare(collection, model, conditions);
    }
}

TEST_CASE("Long texts and lists are found in every state") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    ThingMaker maker(8);
    Collection<Things> collection(directory / "things", in_segments_of(100));
    Model model;
    write_things(collection, model, maker, 0, 60);
    Thing made = maker.thing(1000);
    made.note = std::string(200'000, 'x') + "needle" + std::string(100'000, 'y');
    made.tags.assign(70'000, "many");
    made.tags.push_back(std::string(70'000, 't'));
    made.marks.emplace();
    for (std::int32_t mark = 0; mark < 70'000; ++mark) made.marks->push_back(mark % 1000);
    made.more = kith::Json{R"({"a": ")" + std::string(300'000, 'j') + R"("})"};
    model[made.key] = made;
    collection.upsert(made);
    const std::vector<Asked> conditions{
        {"note", kith::field<&Thing::note> == *made.note},
        {"part of note", kith::parse_condition<Thing>("note like '%needle%'")},
        {"end of note", has_suffix(kith::field<&Thing::note>, "yyyyy")},
        {"tags", kith::parse_condition<Thing>("tags contain_all ('many') and array_length(tags) = 70001")},
        {"long tag", contains(kith::field<&Thing::tags>, std::string(70'000, 't'))},
        {"marks", kith::parse_condition<Thing>("marks contains 999 and array_length(marks) > 3")},
        {"JSON", kith::parse_condition<Thing>("more.a > 'jjjjjjjjj'")},
        {"not", kith::parse_condition<Thing>("not note like '%needle%' and not tags contains 'many'")},
    };
    compare(collection, model, conditions);
    collection.checkpoint();
    compare(collection, model, conditions);
    write_things(collection, model, maker, 60, 60);
    collection.compact();
    compare(collection, model, conditions);
}

TEST_CASE("What few of some thousand records satisfy is found whole, with an index and without") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    ThingMaker maker(3);
    Collection<Things> collection(directory / "things", in_segments_of(2500));
    Model model;
    write_things(collection, model, maker, 0, 4000);
    const auto mark = [&](std::initializer_list<int> numbers) {
        for (const int number : numbers) {
            Thing made = maker.thing(10'000 + number);
            made.note = "rare";
            made.code = 7777;
            made.more = kith::Json{R"({"is": {"rare": true}})"};
            model[made.key] = made;
            collection.upsert(made);
        }
    };
    mark({1, 2});
    const std::vector<Asked> conditions{
        {"note", kith::field<&Thing::note> == "rare"},
        {"end of note", has_suffix(kith::field<&Thing::note>, "are")},
        {"code, which has no index", kith::field<&Thing::code> == 7777u},
        {"calculated", kith::parse_condition<Thing>("code * 2 + 1 = 15555")},
        {"inside of JSON", kith::parse_condition<Thing>("more.\"is\".rare")},
        {"both", kith::parse_condition<Thing>("code = 7777 and note like '%a%'")},
        {"either", kith::parse_condition<Thing>("code = 7777 or note = 'rare' or more.\"is\".rare")},
    };
    for (const Asked& asked : conditions) REQUIRE(matching(model, asked.condition).size() == 2);
    compare(collection, model, conditions);
    collection.checkpoint();
    mark({3});
    for (const Asked& asked : conditions) REQUIRE(matching(model, asked.condition).size() == 3);
    compare(collection, model, conditions);
    collection.compact();
    compare(collection, model, conditions);
}

TEST_CASE("What a batch changes together, every condition sees together", "[threads]") {
    constexpr int groups = 8;
    constexpr int members = 40;
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    kith::Options options = on_call();
    options.segment_capacity = 500;
    Collection<Things> collection(directory / "things", options);
    ThingMaker maker(4);
    const auto group = [&](int number, int round) {
        std::vector<Thing> things;
        for (int member = 0; member < members; ++member) {
            Thing made;
            made.key = std::to_string(number) + "-" + std::to_string(member);
            made.small = number;
            made.code = static_cast<std::uint32_t>(number);
            made.open = round % 2 == 0;
            made.maybe = !made.open;
            made.note = "round " + std::to_string(round % 4);
            made.tags = {made.open ? "open" : "closed"};
            made.place = {static_cast<float>(member), static_cast<float>(maker.below(100))};
            things.push_back(std::move(made));
        }
        return things;
    };
    for (int number = 0; number < groups; ++number) collection.insert(group(number, 0));

    std::atomic<bool> done = false;
    std::atomic<int> wrong = 0;
    std::atomic<int> asked = 0;
    const auto read = [&](int reader) {
        const auto whole = [&](std::size_t count) {
            if (count != 0 && count != members) ++wrong;
        };
        for (int turn = 0; !done; ++turn) {
            const int number = turn % groups;
            const auto is_group = kith::field<&Thing::small> == number;
            switch ((turn + reader) % 5) {
                case 0:
                    whole(collection.count(is_group && kith::field<&Thing::open> == true));
                    break;
                case 1:
                    whole(collection.count(is_group && kith::field<&Thing::open> == kith::field<&Thing::maybe>));
                    whole(collection.where("code = ? and tags contains 'open'", number).keys().size());
                    break;
                case 2: {
                    const auto hits = collection.nearest<&Thing::place>(kith_test::places[0])
                                          .where(is_group && has_prefix(kith::field<&Thing::note>, "round"))
                                          .limit(2 * members)
                                          .run();
                    if (hits.size() != members) ++wrong;
                    for (const auto& hit : hits) wrong += hit.record.note != hits[0].record.note ? 1 : 0;
                    break;
                }
                case 3: {
                    const auto snapshot = collection.snapshot();
                    const std::size_t open = snapshot.count(is_group && kith::field<&Thing::open> == true);
                    const std::size_t closed = snapshot.count(is_group && kith::field<&Thing::maybe> == true);
                    if (open + closed != members) ++wrong;
                    whole(open);
                    break;
                }
                default: {
                    const auto facets = collection.where(is_group).distinct<&Thing::note>();
                    if (facets.size() != 1) ++wrong;
                    break;
                }
            }
            ++asked;
        }
    };
    std::vector<std::thread> readers;
    for (int reader = 0; reader < 2; ++reader) readers.emplace_back(read, reader);
    for (int round = 1; round <= 60; ++round) {
        for (int number = 0; number < groups; ++number) collection.upsert(group(number, round));
        if (round % 6 == 0) {  // a group that is not there for a while is another number
            std::vector<std::string> gone;
            for (const Thing& thing : group(groups, round)) gone.push_back(thing.key);
            collection.erase(gone);
        } else if (round % 6 == 3) {
            collection.insert(group(groups, round));
        }
        if (round % 10 == 5) collection.checkpoint();
        if (round % 20 == 10) collection.compact();
    }
    while (asked < 200) std::this_thread::yield();
    done = true;
    for (std::thread& reader : readers) reader.join();
    CHECK(wrong == 0);
}
