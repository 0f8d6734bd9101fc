@echo off
rem Undoes install.cmd: service, driver file, certificates. May be run again.
setlocal enableextensions
set "DRIVER=%SystemRoot%\System32\drivers\procmon.sys"
set "RECORD=HKLM\SOFTWARE\procmon"
set "SERVICE=HKLM\SYSTEM\CurrentControlSet\Services\procmon"
rem Another find, such as GNU's, may come first on the PATH.
set "FIND=%SystemRoot%\System32\find.exe"

fltmc >nul 2>&1
if errorlevel 1 (
    echo uninstall: not elevated. Right-click uninstall.cmd, "Run as administrator".
    exit /b 5
)
rem A service that the INF installed runs from the driver store. Deleting it here
rem would leave the package in the store: only pnputil removes both.
reg query %SERVICE% /v ImagePath 2>nul | "%FIND%" "DriverStore" >nul
if not errorlevel 1 (
    echo uninstall: procmon.inf has installed the service procmon. Remove it with:
    echo   pnputil /enum-drivers
    echo     lists the oemN.inf whose original name is procmon.inf
    echo   sc stop procmon
    echo   pnputil /delete-driver oemN.inf /uninstall
    exit /b 1073
)
sc stop procmon >nul 2>&1
sc delete procmon >nul 2>&1
if %errorlevel%==1072 echo uninstall: the service goes away when the last program lets go of it.
if exist "%DRIVER%" del /f "%DRIVER%"
if exist "%DRIVER%" (
    echo uninstall: %DRIVER% is still in use. Restart Windows and run this again.
    exit /b 32
)
for %%S in (Root TrustedPublisher) do (
    reg query %RECORD% /v %%S.@THUMBPRINT@ >nul 2>&1
    if not errorlevel 1 (
        certutil -delstore %%S @THUMBPRINT@ >nul
        reg delete %RECORD% /v %%S.@THUMBPRINT@ /f >nul
        echo uninstall: certificate removed from %%S.
    )
)
rem Packages signed with other certificates have left their own records.
reg query %RECORD% 2>nul | "%FIND%" "REG_SZ" >nul
if errorlevel 1 reg delete %RECORD% /f >nul 2>&1
echo uninstall: procmon is gone.
exit /b 0
