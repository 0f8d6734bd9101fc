// Prints the processes that procmon reports, with krabsetw.
//
// Build with Visual Studio and the NuGet package
// Microsoft.O365.Security.Krabsetw; define UNICODE, and NDEBUG in a release.
// Run it as administrator.

#include <iostream>
#include <string>

#include "krabs.hpp"

// A counted UTF-16 string. It is read as bytes, since a debug build refuses this
// type as std::wstring.
static std::wstring text(krabs::parser &parser, const wchar_t *field) {
    const auto bytes = parser.parse<krabs::binary>(field).bytes();
    std::wstring units(reinterpret_cast<const wchar_t *>(bytes.data()), bytes.size() / 2);
    // The first unit is the count of the bytes that follow.
    if (!units.empty() && units[0] + 2u == bytes.size()) {
        units.erase(0, 1);
    }
    return units;
}

static void on_event(const EVENT_RECORD &record, const krabs::trace_context &context) {
    krabs::schema schema(record, context.schema_locator);
    krabs::parser parser(schema);
    switch (schema.event_id()) {
    case 1: { // ProcessCreate
        const auto user = parser.parse<krabs::sid>(L"User").sid_string;
        std::wcout << L"create " << parser.parse<uint32_t>(L"ProcessId")
                   << L" by " << parser.parse<uint32_t>(L"ParentProcessId")
                   << L' ' << std::wstring(user.begin(), user.end())
                   << L' ' << text(parser, L"ImageName")
                   << L' ' << text(parser, L"CommandLine") << std::endl;
        break;
    }
    case 2: // ProcessExit
        std::wcout << L"exit " << parser.parse<uint32_t>(L"ProcessId")
                   << L" after " << parser.parse<uint64_t>(L"LifetimeMs") << L" ms" << std::endl;
        break;
    } // 3, ProcessText: the rest of a long text
}

int main() {
    // Procmon-Driver
    krabs::provider<> provider(krabs::guid(L"{95487dfb-e18a-5672-3d3d-e7b3a4901f38}"));
    provider.any(0x1);
    provider.level(4);
    provider.add_on_event_callback(on_event);

    EVENT_TRACE_PROPERTIES properties = {};
    properties.BufferSize = 64; // KB; a long command line needs 32
    properties.MinimumBuffers = 16;
    properties.MaximumBuffers = 64;
    properties.FlushTimer = 1;
    properties.LogFileMode = EVENT_TRACE_REAL_TIME_MODE | EVENT_TRACE_INDEPENDENT_SESSION_MODE;

    krabs::user_trace trace(L"Procmon-krabsetw");
    trace.set_trace_properties(&properties);
    trace.enable(provider);
    trace.start(); // returns when the session is stopped: logman stop Procmon-krabsetw -ets
}
