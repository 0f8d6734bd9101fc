/*
 * mingw-w64's evntprov.h, with what it has of an older SDK in the form of
 * Microsoft's documentation. wdm.h includes it.
 */
#pragma once

#define _EVENT_DATA_DESCRIPTOR _MINGW_EVENT_DATA_DESCRIPTOR
#define EVENT_DATA_DESCRIPTOR MINGW_EVENT_DATA_DESCRIPTOR
#define PEVENT_DATA_DESCRIPTOR PMINGW_EVENT_DATA_DESCRIPTOR
#include_next <evntprov.h>
#undef _EVENT_DATA_DESCRIPTOR
#undef EVENT_DATA_DESCRIPTOR
#undef PEVENT_DATA_DESCRIPTOR

/* https://learn.microsoft.com/windows/win32/api/evntprov/ns-evntprov-event_data_descriptor */
typedef struct _EVENT_DATA_DESCRIPTOR {
  ULONGLONG Ptr;
  ULONG Size;
  union {
    ULONG Reserved;
    struct {
      UCHAR Type;
      UCHAR Reserved1;
      USHORT Reserved2;
    };
  };
} EVENT_DATA_DESCRIPTOR, *PEVENT_DATA_DESCRIPTOR;

#define EVENT_DATA_DESCRIPTOR_TYPE_NONE 0
#define EVENT_DATA_DESCRIPTOR_TYPE_EVENT_METADATA 1
#define EVENT_DATA_DESCRIPTOR_TYPE_PROVIDER_METADATA 2
#define EVENT_DATA_DESCRIPTOR_TYPE_TIMESTAMP_OVERRIDE 3

/* https://learn.microsoft.com/windows/win32/api/evntprov/ne-evntprov-event_info_class */
typedef enum _EVENT_INFO_CLASS {
  EventProviderBinaryTrackInfo,
  EventProviderSetReserved1,
  EventProviderSetTraits,
  EventProviderUseDescriptorType,
  MaxEventInfo
} EVENT_INFO_CLASS;
